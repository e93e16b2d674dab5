// Feeds random questions to myst_differential and compares its answers with those of independent implementations.
// Usage: node differential.mjs <path to myst_differential> [--seed N] [--count N per operation]
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { generators } from './cases.mjs';
import { Random } from './random.mjs';

const kShownFailures = 10;

function option(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? fallback : Number(process.argv[at + 1]);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} wants a whole number`);
  return value;
}

/** Compares by value; the order of members does not matter, case of hex does. */
function same(a, b) {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [keysA, keysB] = [Object.keys(a), Object.keys(b)];
  return keysA.length === keysB.length && keysA.every((key) => key in b && same(a[key], b[key]));
}

async function ask(program, cases) {
  const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.stdin.on('error', () => {}); // a program that died early shows as missing answers
  child.stdin.end(cases.map(([question]) => JSON.stringify(question) + '\n').join(''));
  const answers = [];
  for await (const line of createInterface({ input: child.stdout })) answers.push(JSON.parse(line));
  const status = await ended;
  if (status !== 0) console.log(`${program} ended with ${status}`);
  return answers;
}

async function main() {
  const program = process.argv[2];
  const seed = option('seed', Math.floor(Math.random() * 2 ** 32));
  const count = option('count', 300);
  console.log(`seed ${seed}, ${count} cases of each of ${generators.length} operations`);
  const random = new Random(seed);
  const cases = [];
  for (const generate of generators) {
    for (let i = 0; i < count; ++i) cases.push(await generate(random));
  }
  const answers = await ask(program, cases);
  let failed = 0;
  cases.forEach(([question, expected], i) => {
    if (same(answers[i], expected)) return;
    if (++failed <= kShownFailures) {
      console.log(`MISMATCH\n  question ${JSON.stringify(question)}`);
      console.log(`  expected ${JSON.stringify(expected)}\n  answered ${JSON.stringify(answers[i])}`);
    }
  });
  console.log(`differential: ${cases.length - failed} passed, ${failed} failed, 0 skipped`);
  process.exitCode = failed === 0 && cases.length > 0 ? 0 : 1;
}

await main();
