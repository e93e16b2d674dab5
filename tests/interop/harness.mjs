// Runs named tests one after the other; the last line is the counts.

const kDeadline = 20_000; // ms for one test
const tests = [];

export function test(name, body) {
  tests.push([name, body]);
}

/** Fails after `ms`; the timer does not keep the program alive. */
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A list that others append to, and that can be waited for. */
export class Inbox {
  #waiting = [];
  items = [];
  push(item) {
    this.items.push(item);
    this.#waiting = this.#waiting.filter(([count, resolve]) => this.items.length < count || resolve(this.items));
  }
  /** All items, as soon as there are `count`. */
  atLeast(count) {
    if (this.items.length >= count) return Promise.resolve(this.items);
    return new Promise((resolve) => this.#waiting.push([count, resolve]));
  }
}

export async function run(suite) {
  let failed = 0;
  for (const [name, body] of tests) {
    try {
      await within(kDeadline, 'the whole test', body());
      console.log(`ok ${name}`);
    } catch (error) {
      ++failed;
      console.log(`[FAIL] ${name}(): ${error.stack ?? error}`);
    }
  }
  console.log(`${suite}: ${tests.length - failed} passed, ${failed} failed, 0 skipped`);
  process.exit(failed === 0 && tests.length > 0 ? 0 : 1);
}
