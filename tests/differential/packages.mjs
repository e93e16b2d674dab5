// The independent implementations, from the lockfile of contracts/.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../contracts/package.json', import.meta.url));

export const viem = require('viem');
export const accounts = require('viem/accounts');
export const { secp256k1, schnorr } = require('@noble/curves/secp256k1');
export const { keccak_256 } = require('@noble/hashes/sha3');
export const { sha256 } = require('@noble/hashes/sha2');
export const hkdf = require('@noble/hashes/hkdf');
export const { hmac } = require('@noble/hashes/hmac');
export const { chacha20 } = require('@noble/ciphers/chacha');
