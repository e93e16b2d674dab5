// Reproducible randomness: the same seed gives the same cases.

/** A generator of 32-bit numbers (xoshiro128**, seeded through splitmix32). */
export class Random {
  constructor(seed) {
    let x = seed >>> 0;
    this.state = Uint32Array.from({ length: 4 }, () => {
      x = (x + 0x9e3779b9) >>> 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) >>> 0;
    });
  }

  next() {
    const s = this.state;
    const rotate = (value, by) => ((value << by) | (value >>> (32 - by))) >>> 0;
    const result = Math.imul(rotate(Math.imul(s[1], 5) >>> 0, 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 11);
    return result;
  }

  /** An integer in [0, bound). */
  below(bound) {
    return Math.floor((this.next() / 2 ** 32) * bound);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  bytes(length) {
    return Uint8Array.from({ length }, () => this.next() & 0xff);
  }

  hex(length) {
    return '0x' + Buffer.from(this.bytes(length)).toString('hex');
  }

  /** An unsigned integer of at most `bits` bits; small, large and extreme values are all frequent. */
  uint(bits) {
    const max = (1n << BigInt(bits)) - 1n;
    switch (this.below(6)) {
      case 0: return 0n;
      case 1: return max;
      case 2: return BigInt(this.below(300)) & max;
      default: return (BigInt(this.hex(Math.ceil(bits / 8))) & max) >> BigInt(this.below(bits));
    }
  }

  int(bits) {
    const magnitude = this.uint(bits - 1);
    return this.below(2) === 0 ? magnitude : -magnitude - 1n;
  }

  /** A private key as hex; a random 32-byte string is one but for a chance of 2^-128. */
  key() {
    return this.hex(32);
  }

  address() {
    return this.hex(20);
  }

  /** Unicode text without lone surrogates. */
  text(maxPieces) {
    const pieces = ['a', 'Z', ' ', '"', '\\', '\n', '\t', '\r', '\b', '\f', '/', 'é', '🚀', '\u2028', '\u007f', '<'];
    return Array.from({ length: this.below(maxPieces + 1) }, () => this.pick(pieces)).join('');
  }
}
