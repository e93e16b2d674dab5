// One generator per operation: a random question, and the answer of an independent implementation.
import { accounts, keccak_256, schnorr, secp256k1, sha256, viem } from './packages.mjs';
import * as nip44 from './nip44.mjs';
import { typedData } from './typed_data.mjs';

const hex = (bytes) => '0x' + Buffer.from(bytes).toString('hex');
const bare = (text) => text.slice(2);
const bytesOf = (text) => Buffer.from(bare(text), 'hex');

/** JSON carries large integers as decimal text. */
export function plain(value) {
  return JSON.parse(JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? v.toString() : v)));
}

/** Question and answer of a case whose EIP-712 struct is hashed by viem and signed by the key, if there is one. */
function structCase(op, input, domain, type, fields, message) {
  const document = { domain, types: { [type]: fields }, primaryType: type, message };
  return [{ op, ...plain(input) }, { digest: viem.hashTypedData(document) }];
}

function laneDomain(chainId, contract) {
  return { name: 'Mysterium Lanes', version: '1', chainId, verifyingContract: contract };
}

/** EIP-2098: the parity of R goes into the top bit of s. */
function compact(signature) {
  const s = signature.s | (BigInt(signature.recovery) << 255n);
  const word = (value) => '0x' + value.toString(16).padStart(64, '0');
  return { r: word(signature.r), vs: word(s) };
}

function rlpItem(random, depth) {
  if (depth === 0 || random.below(3) !== 0) return random.hex(random.pick([0, 1, 1, 2, 20, 32, 55, 56, 255, 256, 300]));
  return Array.from({ length: random.below(6) }, () => rlpItem(random, depth - 1));
}

async function transaction1559(random) {
  const key = random.key();
  const fee = random.uint(128);
  const tx = {
    chainId: 1 + random.below(2 ** 31),
    nonce: random.below(2 ** 31),
    maxPriorityFeePerGas: random.uint(120) % (fee + 1n),
    maxFeePerGas: fee,
    gas: random.uint(64),
    to: random.address(),
    value: random.uint(256),
    data: random.hex(random.below(200)),
  };
  const raw = await accounts.privateKeyToAccount(key).signTransaction({ ...tx, type: 'eip1559' });
  return [{ op: 'transaction_1559', key, ...plain(tx) }, { raw, hash: viem.keccak256(raw) }];
}

async function transactionLegacy(random) {
  const key = random.key();
  const tx = {
    chainId: 1 + random.below(2 ** 31),
    nonce: random.below(2 ** 31),
    gasPrice: random.uint(128),
    gas: random.uint(64),
    to: random.address(),
    value: random.uint(256),
    data: random.hex(random.below(200)),
  };
  const raw = await accounts.privateKeyToAccount(key).signTransaction({ ...tx, type: 'legacy' });
  return [{ op: 'transaction_legacy', key, ...plain(tx) }, { raw, hash: viem.keccak256(raw) }];
}

const abiTypes = {
  address: (random) => random.address(),
  bytes32: (random) => random.hex(32),
  uint256: (random) => random.uint(256),
  uint96: (random) => random.uint(96),
  bool: (random) => random.below(2) === 1,
  bytes: (random) => random.hex(random.below(100)),
  'bytes32[]': (random) => Array.from({ length: random.below(5) }, () => random.hex(32)),
  'bytes32[3][]': (random) => Array.from({ length: random.below(4) }, () => [0, 1, 2].map(() => random.hex(32))),
};

function abiEncode(random) {
  const types = Array.from({ length: random.below(7) }, () => random.pick(Object.keys(abiTypes)));
  const values = types.map((type) => abiTypes[type](random));
  const signature = `f(${types.join(',')})`;
  const data = viem.encodeAbiParameters(types.map((type) => ({ type })), values);
  const call = viem.concat([viem.toFunctionSelector(signature), data]);
  return [{ op: 'abi', signature, types, values: plain(values) }, { call, decoded: plain(values) }];
}

function voucher(random) {
  const key = random.key();
  const chainId = random.uint(53);
  const contract = random.address();
  const message = {
    provider: random.address(),
    epoch: Number(random.uint(24)),
    total: random.uint(96),
    cap: random.uint(96),
  };
  const fields = [
    { name: 'provider', type: 'address' },
    { name: 'epoch', type: 'uint24' },
    { name: 'total', type: 'uint96' },
    { name: 'cap', type: 'uint96' },
  ];
  const domain = laneDomain(chainId, contract);
  const [question, answer] = structCase('voucher', { key, chainId, contract, ...message }, domain, 'Voucher', fields, message);
  const packed = (message.total << 160n) | (message.cap << 64n) | (BigInt(message.epoch) << 40n);
  const signature = compact(secp256k1.sign(bare(answer.digest), bare(key)));
  const signer = accounts.privateKeyToAddress(key);
  return [question, { ...answer, ...signature, signer, word0: viem.numberToHex(packed, { size: 32 }) }];
}

function permit(random) {
  const message = {
    owner: random.address(),
    spender: random.address(),
    value: random.uint(256),
    nonce: random.uint(256),
    deadline: random.uint(256),
  };
  const fields = ['owner', 'spender', 'value', 'nonce', 'deadline'].map((name, i) => ({
    name,
    type: i < 2 ? 'address' : 'uint256',
  }));
  const domain = { name: random.text(5), version: '1', chainId: random.uint(53), verifyingContract: random.address() };
  return structCase('permit', { domain, ...message }, domain, 'Permit', fields, message);
}

function setOwner(random) {
  const [chainId, contract, owner] = [random.uint(53), random.address(), random.address()];
  const fields = [{ name: 'owner', type: 'address' }];
  return structCase('set_owner', { chainId, contract, owner }, laneDomain(chainId, contract), 'SetOwner', fields, { owner });
}

function sessionRequest(random) {
  const [chainId, contract] = [random.uint(53), random.address()];
  const message = {
    provider: random.hex(32),
    consumer: random.hex(32),
    tunnelKey: random.hex(32),
    created: random.uint(53),
  };
  const fields = ['provider', 'consumer', 'tunnelKey', 'created'].map((name, i) => ({
    name,
    type: i < 3 ? 'bytes32' : 'uint64',
  }));
  const domain = laneDomain(chainId, contract);
  return structCase('session_request', { chainId, contract, ...message }, domain, 'SessionRequest', fields, message);
}

function anyTypedData(random) {
  const document = typedData(random);
  return [{ op: 'typed_data', document: plain(document) }, { digest: viem.hashTypedData(document) }];
}

function ecdsa(random) {
  const [key, digest] = [random.key(), random.hex(32)];
  const signature = secp256k1.sign(bare(digest), bare(key));
  return [{ op: 'ecdsa', key, digest }, { ...compact(signature), signer: accounts.privateKeyToAddress(key) }];
}

/** Random signatures: whether a key can be recovered, and which. */
function recover(random) {
  const digest = random.hex(32);
  const [r, s, recovery] = [BigInt(random.hex(32)), random.uint(256), random.below(2)];
  const vs = (s & ((1n << 255n) - 1n)) | (BigInt(recovery) << 255n);
  let signer = null;
  try {
    const signature = new secp256k1.Signature(r, s & ((1n << 255n) - 1n)).addRecoveryBit(recovery);
    if (!signature.hasHighS()) {
      signer = accounts.publicKeyToAddress(hex(signature.recoverPublicKey(bare(digest)).toRawBytes(false)));
    }
  } catch {
    signer = null;
  }
  const word = (value) => '0x' + value.toString(16).padStart(64, '0');
  return [{ op: 'recover', digest, r: word(r), vs: word(vs) }, { signer }];
}

function schnorrSign(random) {
  const [key, aux, message] = [random.key(), random.hex(32), random.hex(random.pick([0, 1, 32, 32, 100]))];
  const signature = hex(schnorr.sign(bytesOf(message), bytesOf(key), bytesOf(aux)));
  return [{ op: 'schnorr_sign', key, aux, message }, { signature, publicKey: hex(schnorr.getPublicKey(bare(key))) }];
}

function schnorrVerify(random) {
  const [key, message] = [random.key(), random.hex(32)];
  const signature = schnorr.sign(bytesOf(message), bytesOf(key), random.bytes(32));
  const publicKey = schnorr.getPublicKey(bare(key));
  const damaged = random.pick([null, signature, publicKey]);
  if (damaged) damaged[random.below(damaged.length)] ^= 1 << random.below(8);
  const valid = schnorr.verify(signature, bytesOf(message), publicKey);
  return [{ op: 'schnorr_verify', signature: hex(signature), message, publicKey: hex(publicKey) }, { valid }];
}

function nip44Message(random) {
  const [from, to, nonce] = [random.key(), random.key(), random.bytes(32)];
  const plaintext = random.text(6) + 'x'.repeat(1 + random.below(random.pick([10, 300, 5000])));
  const publicKey = hex(schnorr.getPublicKey(bare(to)));
  const key = nip44.conversationKey(from, bare(publicKey));
  const payload = nip44.encrypt(key, nonce, plaintext);
  return [{ op: 'nip44', from, to, nonce: hex(nonce), plaintext }, { conversationKey: hex(key), payload, plaintext }];
}

/** An event as JavaScript clients make it: JSON.stringify gives the canonical form. */
function event(random) {
  const [key, aux] = [random.key(), random.hex(32)];
  const pubkey = Buffer.from(schnorr.getPublicKey(bare(key))).toString('hex');
  const tags = Array.from({ length: random.below(4) }, () => Array.from({ length: 1 + random.below(3) }, () => random.text(5)));
  const [created_at, kind, content] = [Number(random.uint(53)), random.below(65536), random.text(30)];
  const id = sha256(JSON.stringify([0, pubkey, created_at, kind, tags, content]));
  const sig = Buffer.from(schnorr.sign(id, bytesOf(key), bytesOf(aux))).toString('hex');
  const wire = { id: Buffer.from(id).toString('hex'), pubkey, created_at, kind, tags, content, sig };
  return [{ op: 'event', key, aux, wire: JSON.stringify(wire) }, { wire, resigned: sig, verified: true }];
}

function address(random) {
  const lower = random.address();
  const right = viem.getAddress(lower);
  const letters = [...right.slice(2)].map((c, i) => [c, i + 2]).filter(([c]) => /[a-fA-F]/.test(c));
  let tried = right;
  if (letters.length > 0 && random.below(2) === 0) {
    const [c, i] = random.pick(letters);
    tried = right.slice(0, i) + (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()) + right.slice(i + 1);
  }
  return [{ op: 'address', lower, tried }, { checksum: right, accepted: viem.isAddress(tried) }];
}

function rlp(random) {
  const item = rlpItem(random, 5);
  return [{ op: 'rlp', item }, { encoded: viem.toRlp(item), item }];
}

function keccak(random) {
  const data = random.hex(random.pick([0, 1, 32, 64, 135, 136, 137, random.below(1000)]));
  return [{ op: 'keccak', data }, { hash: hex(keccak_256(bytesOf(data))), sha256: hex(sha256(bytesOf(data))) }];
}

export const generators = [
  keccak, address, rlp, transaction1559, transactionLegacy, abiEncode, voucher, permit, setOwner, sessionRequest,
  anyTypedData, ecdsa, recover, schnorrSign, schnorrVerify, nip44Message, event,
];
