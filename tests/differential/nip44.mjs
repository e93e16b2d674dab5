// NIP-44 version 2 written from the specification, for comparison.
import { chacha20, hkdf, hmac, secp256k1, sha256 } from './packages.mjs';

export function conversationKey(privateKey, publicKeyX) {
  const shared = secp256k1.getSharedSecret(privateKey.slice(2), '02' + publicKeyX).subarray(1, 33);
  return hkdf.extract(sha256, shared, new TextEncoder().encode('nip44-v2'));
}

function paddedLength(length) {
  if (length <= 32) return 32;
  const nextPower = 2 ** (Math.floor(Math.log2(length - 1)) + 1);
  const chunk = nextPower <= 256 ? 32 : nextPower / 8;
  return chunk * (Math.floor((length - 1) / chunk) + 1);
}

export function encrypt(key, nonce, plaintext) {
  const keys = hkdf.expand(sha256, key, nonce, 76);
  const text = new TextEncoder().encode(plaintext);
  const padded = new Uint8Array(2 + paddedLength(text.length));
  padded.set([text.length >> 8, text.length & 0xff]);
  padded.set(text, 2);
  const ciphertext = chacha20(keys.subarray(0, 32), keys.subarray(32, 44), padded);
  const mac = hmac(sha256, keys.subarray(44, 76), Buffer.concat([nonce, ciphertext]));
  return Buffer.concat([Uint8Array.of(2), nonce, ciphertext, mac]).toString('base64');
}
