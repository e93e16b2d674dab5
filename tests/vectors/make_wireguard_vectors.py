#!/usr/bin/env python3
"""Writes wireguard_handshake.json: WireGuard handshakes computed from the paper with other people's primitives.

Uses the Python package `cryptography` (X25519, ChaCha20-Poly1305) and hashlib (BLAKE2s). HChaCha20 is written out here
and checked with the example of draft-irtf-cfrg-xchacha-03.
"""

import hashlib
import hmac
import json
import struct
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"


def hash_of(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def mac(key, data):
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def kdf(count, key, data):
    secret = hmac.new(key, data, hashlib.blake2s).digest()
    outputs, previous = [], b""
    for i in range(count):
        previous = hmac.new(secret, previous + bytes([i + 1]), hashlib.blake2s).digest()
        outputs.append(previous)
    return outputs


def public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def dh(private, peer):
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(peer))


def seal(key, counter, plain, additional):
    return ChaCha20Poly1305(key).encrypt(bytes(4) + struct.pack("<Q", counter), plain, additional)


def hchacha20(key, nonce):
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            word = state[z] ^ state[x]
            state[z] = ((word << turn) | (word >> (32 - turn))) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for diagonal in range(4):
            quarter(diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def seal_extended(key, nonce, plain, additional):
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], plain, additional)


def with_macs(message, receiver, cookie=None):
    message += mac(hash_of(b"mac1----", receiver), message)
    return message + (mac(cookie, message) if cookie else bytes(16))


def handshake(case):
    initiator, responder = public(case["initiator_private"]), public(case["responder_private"])
    e_i, e_r = case["initiator_ephemeral"], case["responder_ephemeral"]
    # First message, section 5.4.2.
    chain = hash_of(CONSTRUCTION)
    digest = hash_of(hash_of(chain, IDENTIFIER), responder)
    digest = hash_of(digest, public(e_i))
    (chain,) = kdf(1, chain, public(e_i))
    chain, key = kdf(2, chain, dh(e_i, responder))
    encrypted_static = seal(key, 0, initiator, digest)
    digest = hash_of(digest, encrypted_static)
    chain, key = kdf(2, chain, dh(case["initiator_private"], responder))
    encrypted_timestamp = seal(key, 0, case["timestamp"], digest)
    digest = hash_of(digest, encrypted_timestamp)
    body = struct.pack("<II", 1, case["initiator_index"]) + public(e_i) + encrypted_static + encrypted_timestamp
    initiation = with_macs(body, responder)
    # Second message, section 5.4.3.
    (chain,) = kdf(1, chain, public(e_r))
    digest = hash_of(digest, public(e_r))
    (chain,) = kdf(1, chain, dh(e_r, public(e_i)))
    (chain,) = kdf(1, chain, dh(e_r, initiator))
    chain, mixed, key = kdf(3, chain, case["preshared"])
    digest = hash_of(digest, mixed)
    nothing = seal(key, 0, b"", digest)
    second = struct.pack("<III", 2, case["responder_index"], case["initiator_index"]) + public(e_r) + nothing
    response = with_macs(second, initiator)
    of_initiator, of_responder = kdf(2, chain, b"")
    # A cookie reply to the initiation, section 5.4.7, and the initiation with that cookie.
    sealed = seal_extended(hash_of(b"cookie--", responder), case["cookie_nonce"], case["cookie"], initiation[116:132])
    reply = struct.pack("<II", 3, case["initiator_index"]) + case["cookie_nonce"] + sealed
    return {
        "initiator_public": initiator,
        "responder_public": responder,
        "initiation": initiation,
        "response": response,
        "initiator_send": of_initiator,
        "responder_send": of_responder,
        "cookie_reply": reply,
        "initiation_with_cookie": with_macs(body, responder, case["cookie"]),
    }


def clamped(label):
    key = bytearray(hash_of(label))
    key[0] &= 248
    key[31] = (key[31] & 127) | 64
    return bytes(key)


def case_of(number, preshared):
    label = bytes([number])
    return {
        "initiator_private": clamped(b"initiator" + label),
        "responder_private": clamped(b"responder" + label),
        "initiator_ephemeral": clamped(b"initiator ephemeral" + label),
        "responder_ephemeral": clamped(b"responder ephemeral" + label),
        "preshared": preshared,
        "timestamp": struct.pack(">QI", (1 << 62) + 10 + 1_700_000_000 + number, 16777216 * number),
        "initiator_index": 0x01020304 + number,
        "responder_index": 0xF1F2F3F4 + number,
        "cookie": hash_of(b"cookie" + label)[:16],
        "cookie_nonce": hash_of(b"nonce" + label)[:24],
    }


def main():
    example = hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927"))
    assert example.hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    cases = []
    for number, preshared in enumerate((bytes(32), bytes(32), hash_of(b"preshared"), hash_of(b"another"))):
        case = case_of(number, preshared)
        cases.append({name: value.hex() if isinstance(value, bytes) else value
                      for name, value in (case | handshake(case)).items()})
    path = Path(__file__).with_name("wireguard_handshake.json")
    path.write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
