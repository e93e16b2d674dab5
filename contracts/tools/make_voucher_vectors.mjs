// Writes tests/vectors/voucher_eip712.json and tick_voucher_eip712.json: vouchers hashed and signed by viem, an
// implementation that shares no code with the contract or the node. The keys are test keys and everything is
// deterministic, so running it again changes nothing.
//
//   node tools/make_voucher_vectors.mjs            writes the files
//   node tools/make_voucher_vectors.mjs --check    fails if a file is not what would be written
import { readFileSync, writeFileSync } from "node:fs";
import {
  encodeAbiParameters,
  getAddress,
  hashDomain,
  hashTypedData,
  keccak256,
  parseAbiParameters,
  signatureToCompactSignature,
  toBytes,
  toHex,
} from "viem";
import { privateKeyToAddress, sign } from "viem/accounts";

const fileNamed = (name) => new URL(`../../tests/vectors/${name}`, import.meta.url);

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const U96 = 2n ** 96n - 1n;
const U24 = 2 ** 24 - 1;
const MYST = 10n ** 18n;

const types = {
  Voucher: [
    { name: "provider", type: "address" },
    { name: "epoch", type: "uint24" },
    { name: "total", type: "uint96" },
    { name: "cap", type: "uint96" },
  ],
};

const key = (name) => keccak256(toBytes(`voucher vector key ${name}`));
const address = (name) => getAddress(`0x${keccak256(toBytes(`voucher vector address ${name}`)).slice(-40)}`);
const number = (n) => toHex(n, { size: 32 });

const plain = {
  chainId: 31337,
  contract: address("contract"),
  privateKey: key("a"),
  provider: address("provider"),
  epoch: 0,
  total: 1n,
  cap: 1n,
};

/** What each case changes about the plain one. */
const cases = [
  ["one unit", {}],
  ["nothing owed, something reserved", { total: 0n, cap: 5n * MYST }],
  ["nothing at all", { total: 0n, cap: 0n }],
  ["an ordinary payment", { total: 123_456_789_012_345n, cap: 2n * MYST }],
  ["a cap below the total", { total: 2n, cap: 1n }],
  ["largest total and cap", { total: U96, cap: U96 }],
  ["largest cap only", { total: 1n, cap: U96 }],
  ["amounts that need the 96th bit", { total: 2n ** 95n, cap: 2n ** 95n + 1n }],
  ["amounts with zero bytes inside", { total: 0x010000000000000000000001n, cap: 0x010000000000000000000100n }],
  ["epoch 1", { epoch: 1, total: MYST, cap: MYST }],
  ["epoch 256", { epoch: 256, total: MYST, cap: MYST }],
  ["last epoch", { epoch: U24, total: MYST, cap: MYST }],
  ["main network", { chainId: 1, total: MYST, cap: 3n * MYST }],
  ["a test network", { chainId: 11155111, total: MYST, cap: 3n * MYST }],
  ["a chain id of 53 bits", { chainId: Number.MAX_SAFE_INTEGER, total: MYST, cap: 3n * MYST }],
  ["another contract", { contract: address("another contract"), total: MYST, cap: MYST }],
  ["another provider", { provider: address("another provider"), total: MYST, cap: MYST }],
  ["an address with leading zeros", { provider: getAddress(`0x${"0".repeat(37)}abc`), total: MYST, cap: MYST }],
  ["the highest address", { provider: getAddress(`0x${"f".repeat(40)}`), total: MYST, cap: MYST }],
  ["smallest private key", { privateKey: number(1n), total: MYST, cap: MYST }],
  ["largest private key", { privateKey: number(ORDER - 1n), total: MYST, cap: MYST }],
  ["another signer", { privateKey: key("b"), total: 7n, cap: 8n }],
];

/** Digest and signature of a struct in the contract's domain. */
async function signed({ chainId, contract, privateKey }, structTypes, primaryType, message) {
  const domain = { name: "Mysterium Lanes", version: "1", chainId, verifyingContract: contract };
  const digest = hashTypedData({ domain, types: structTypes, primaryType, message });
  const { r, yParityAndS } = signatureToCompactSignature(await sign({ hash: digest, privateKey }));
  return { digest, signer: privateKeyToAddress(privateKey), r, vs: yParityAndS };
}

async function vector([name, changes]) {
  const terms = { ...plain, ...changes };
  const { chainId, contract, privateKey, provider, epoch, total, cap } = terms;
  return {
    name,
    chainId,
    contract,
    privateKey,
    provider,
    epoch,
    total: total.toString(),
    cap: cap.toString(),
    ...(await signed(terms, types, "Voucher", { provider, epoch, total, cap })),
  };
}

// Tick vouchers

const tickTypes = {
  TickVoucher: [
    ...types.Voucher,
    { name: "anchor", type: "bytes32" },
    { name: "tickValue", type: "uint64" },
    { name: "maxTicks", type: "uint16" },
  ],
};

const domainType = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "verifyingContract", type: "address" },
];

const plainTicks = { ...plain, total: MYST, cap: 3n * MYST, tickValue: MYST / 100n, maxTicks: 64, ticks: 1 };

/** What each case changes about the plain one. */
const tickCases = [
  ["the first tick", {}],
  ["no tick: the preimage is the anchor", { ticks: 0 }],
  ["the last tick", { ticks: 64 }],
  ["a tick in the middle", { ticks: 33 }],
  ["a chain of one", { maxTicks: 1 }],
  ["a chain without ticks", { maxTicks: 0, ticks: 0 }],
  ["ticks that are worth nothing", { tickValue: 0n, ticks: 5 }],
  ["ticks on nothing", { total: 0n, ticks: 7 }],
  ["largest value of a tick", { tickValue: 2n ** 64n - 1n, cap: U96, ticks: 64 }],
  ["a sum that is the cap", { total: MYST, cap: MYST + 5n * (MYST / 100n), ticks: 5 }],
  ["epoch 1", { epoch: 1, ticks: 2 }],
  ["last epoch", { epoch: U24, ticks: 2 }],
  ["main network", { chainId: 1, ticks: 3 }],
  ["another contract", { contract: address("another contract"), ticks: 3 }],
  ["another provider", { provider: address("another provider"), ticks: 3 }],
  ["another signer", { privateKey: key("b"), ticks: 3 }],
];

async function tickVector([name, changes]) {
  const terms = { ...plainTicks, ...changes };
  const { chainId, contract, privateKey, provider, epoch, total, cap, tickValue, maxTicks, ticks } = terms;
  const domain = { name: "Mysterium Lanes", version: "1", chainId, verifyingContract: contract };
  const chain = keccak256(
    encodeAbiParameters(parseAbiParameters("bytes32, address, uint24, uint96, uint64"), [
      hashDomain({ domain, types: { EIP712Domain: domainType } }),
      provider,
      epoch,
      total,
      tickValue,
    ]),
  );
  const words = [keccak256(toBytes(`last word of ${name}`))];
  for (let i = maxTicks; i > 0; --i) {
    const parameters = parseAbiParameters("bytes32, bytes32, uint256");
    words.unshift(keccak256(encodeAbiParameters(parameters, [words[0], chain, BigInt(i)])));
  }
  const anchor = words[0];
  const message = { provider, epoch, total, cap, anchor, tickValue, maxTicks };
  return {
    name,
    chainId,
    contract,
    privateKey,
    provider,
    epoch,
    total: total.toString(),
    cap: cap.toString(),
    tickValue: tickValue.toString(),
    maxTicks,
    chain,
    lastWord: words.at(-1),
    anchor,
    ticks,
    preimage: words[ticks],
    ...(await signed(terms, tickTypes, "TickVoucher", message)),
  };
}

// Files

const files = {
  "voucher_eip712.json": await Promise.all(cases.map(vector)),
  "tick_voucher_eip712.json": await Promise.all(tickCases.map(tickVector)),
};

for (const [name, vectors] of Object.entries(files)) {
  const text = JSON.stringify(vectors, null, 2) + "\n";
  if (!process.argv.includes("--check")) {
    writeFileSync(fileNamed(name), text);
  } else if (readFileSync(fileNamed(name), "utf8") !== text) {
    console.error(`tests/vectors/${name} is not up to date`);
    process.exitCode = 1;
  }
}
