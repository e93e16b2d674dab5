// Measures what transactions cost, on a fresh anvil, and writes gas.json.
//
//   node tools/measure_gas.mjs            writes the file
//   node tools/measure_gas.mjs --check    measures and fails if a figure is more than 1 % above the file's or a target
//                                         is missed
//
// Every figure is `gasUsed` of a receipt: it includes the base fee of a transaction and its calldata. Keys, amounts and
// therefore the figures are the same in each run. A voucher's share is (gas of 50 - gas of 10) / 40, which leaves out
// what a batch costs however small it is; the table has whole transactions.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  concat,
  encodeAbiParameters,
  encodeDeployData,
  encodeFunctionData,
  hashDomain,
  hexToBigInt,
  keccak256,
  parseSignature,
  signatureToCompactSignature,
  toBytes,
  toHex,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";

const root = new URL("..", import.meta.url).pathname;
const file = join(root, "gas.json");

const MYST = 10n ** 18n;
const WINDOW = 86400;
const FEE_BPS = 50;
const HARDFORK = "osaka";
const SIZES = [1, 10, 50, 100];
const TICK_SIZES = [1, 10, 50];
const TICKS = 64;
const TICK_VALUE = 10n ** 14n;

/** A voucher's share that must not be exceeded, whatever the file says. */
const TARGETS = { settle_marginal_50_reserved: 11_000, settle_marginal_50_unreserved: 16_000 };
/** What `--check` lets a figure grow by, in percent. */
const TOLERANCE = 1;

// The chain

function anvilBinary() {
  const folder = join(root, "node_modules", "@foundry-rs");
  const found = readdirSync(folder).map((name) => join(folder, name, "bin", "anvil")).filter(existsSync);
  if (found.length === 0) throw new Error("there is no anvil for this platform in node_modules");
  return found[0];
}

async function startAnvil() {
  const home = mkdtempSync(join(tmpdir(), "measure-gas-"));
  const args = ["--port", "0", "--hardfork", HARDFORK, "--cache-path", join(home, "cache")];
  const env = { ...process.env, HOME: home };
  const child = spawn(anvilBinary(), args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const stop = () => {
    child.kill();
    rmSync(home, { recursive: true, force: true });
  };
  const address = await new Promise((found, failed) => {
    // Goes on reading afterwards: a full pipe would stop anvil.
    createInterface({ input: child.stdout }).on("line", (line) => {
      const match = line.match(/Listening on (\S+)/);
      if (match) found(match[1]);
    });
    child.on("exit", () => failed(new Error("anvil did not start")));
  });
  return { url: `http://${address}`, stop };
}

let url;
async function rpc(method, ...params) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  const answer = await response.json();
  if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
  return answer.result;
}

/** Sends from an account that anvil has unlocked; returns the receipt of a success. */
async function send(from, to, data) {
  const hash = await rpc("eth_sendTransaction", { from, ...(to ? { to } : {}), data, gas: toHex(16_000_000) });
  let receipt;
  while (!(receipt = await rpc("eth_getTransactionReceipt", hash))) await new Promise((done) => setTimeout(done, 5));
  if (receipt.status !== "0x1") throw new Error("a transaction failed");
  return receipt;
}

const gasOf = (receipt) => Number(hexToBigInt(receipt.gasUsed));

const artifact = (name) => JSON.parse(readFileSync(join(root, "out", `${name}.sol`, `${name}.json`), "utf8"));

class Contract {
  static async deploy(from, name, args) {
    const { abi, bytecode } = artifact(name);
    const receipt = await send(from, null, encodeDeployData({ abi, bytecode: bytecode.object, args }));
    return Object.assign(new Contract(), { abi, address: receipt.contractAddress, deployGas: gasOf(receipt) });
  }

  send(from, functionName, ...args) {
    return send(from, this.address, encodeFunctionData({ abi: this.abi, functionName, args }));
  }
}

// The people

const accountNamed = (name) => privateKeyToAccount(keccak256(toBytes(`gas ${name}`)));
/** An amount with as many digits as traffic produces, between `low` and `low` + 1 MYST. */
const amount = (name, low) => low + (hexToBigInt(keccak256(toBytes(`gas amount ${name}`))) % MYST);

const EIP712_DOMAIN = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "verifyingContract", type: "address" },
];

const TYPES = {
  Voucher: "address provider,uint24 epoch,uint96 total,uint96 cap",
  TickVoucher:
    "address provider,uint24 epoch,uint96 total,uint96 cap,bytes32 anchor,uint64 tickValue,uint16 maxTicks",
  Exit: "address signer,uint96 amount,uint64 nonce,uint40 deadline",
  Release: "address signer,address provider,uint64 nonce,uint40 deadline",
  Withdraw: "address signer,address to,address relayer,uint96 relayerFee,uint64 nonce,uint40 deadline",
  Settle:
    "address provider,bytes32 items,bool toAccount,address relayer,uint96 relayerFee,uint64 nonce,uint40 deadline",
};

const fieldsOf = (text) => text.split(",").map((field) => ({ type: field.split(" ")[0], name: field.split(" ")[1] }));
const lanesDomain = (world) => domain("Mysterium Lanes", world.lanes.address);
const domain = (name, verifyingContract) => ({ name, version: "1", chainId: 31337, verifyingContract });

/** 65-byte signature of a struct of the contract's. */
function sign(world, signer, primaryType, message) {
  const types = { [primaryType]: fieldsOf(TYPES[primaryType]) };
  return signer.signTypedData({ domain: lanesDomain(world), types, primaryType, message });
}

function compact(signature) {
  const { r, yParityAndS } = signatureToCompactSignature(parseSignature(signature));
  return { r, vs: yParityAndS };
}

const packed = (total, cap) => (total << 160n) | (cap << 64n);

async function item(world, signer, provider, total, cap) {
  const signature = await sign(world, signer, "Voucher", { provider, epoch: 0, total, cap });
  return { word: packed(total, cap), ...compact(signature) };
}

/** A tick voucher with `count` of its ticks claimed. */
async function tickItem(world, signer, provider, total, cap, count) {
  const separator = hashDomain({ domain: lanesDomain(world), types: { EIP712Domain: EIP712_DOMAIN } });
  const chain = keccak256(
    encodeAbiParameters(fieldsOf("bytes32 a,address b,uint24 c,uint96 d,uint64 e"), [
      separator,
      provider,
      0,
      total,
      TICK_VALUE,
    ]),
  );
  let word = keccak256(concat([chain, signer.address]));
  let preimage;
  for (let i = TICKS; i >= 0; --i) {
    if (i === count) preimage = word;
    if (i > 0) word = keccak256(concat([word, chain, toHex(i, { size: 32 })]));
  }
  const message = { provider, epoch: 0, total, cap, anchor: word, tickValue: TICK_VALUE, maxTicks: TICKS };
  const signature = await sign(world, signer, "TickVoucher", message);
  const ticks = (TICK_VALUE << 32n) | BigInt(TICKS << 16) | BigInt(count);
  return { word: packed(total, cap), ticks, preimage, ...compact(signature) };
}

const DEADLINE = 2 ** 40 - 1;
const NOBODY = toHex(0, { size: 20 });

/** An order with the fields of `primaryType` but its last two. */
async function order(world, signer, primaryType, message, nonce) {
  const signature = await sign(world, signer, primaryType, { ...message, nonce, deadline: DEADLINE });
  return { nonce, deadline: DEADLINE, signature };
}

async function makeWorld() {
  const [funder, provider, stranger] = await rpc("eth_accounts");
  const token = await Contract.deploy(funder, "MystToken", [1_000_000_000n * MYST]);
  const treasury = accountNamed("treasury").address;
  const lanes = await Contract.deploy(funder, "Lanes", [token.address, treasury, FEE_BPS, WINDOW, MYST]);
  await token.send(funder, "approve", lanes.address, 2n ** 256n - 1n);
  await token.send(funder, "transfer", provider, MYST);
  await token.send(funder, "transfer", treasury, MYST);
  return { funder, provider, stranger, token, lanes };
}

// What is measured

/** Signers who have deposited and, if `first` is given, have had a voucher settled. */
async function signersWith(world, name, count, first, provider = world.provider) {
  const signers = Array.from({ length: count }, (_, i) => accountNamed(`${name} ${i}`));
  for (const signer of signers) await world.lanes.send(world.funder, "deposit", signer.address, 100n * MYST);
  if (first) {
    const items = await Promise.all(signers.map((signer, i) => item(world, signer, provider, ...first(name, i))));
    await world.lanes.send(world.stranger, "settle", provider, items);
  }
  return signers;
}

const SCENARIOS = {
  /** The lane exists and has enough set aside. */
  reserved: {
    first: (name, i) => [amount(`${name} ${i} first`, MYST), 10n * MYST],
    next: (name, i) => [amount(`${name} ${i} next`, 3n * MYST), 10n * MYST],
  },
  /** The lane exists; the money comes from the free part of the account. */
  unreserved: {
    first: (name, i) => Array(2).fill(amount(`${name} ${i} first`, MYST)),
    next: (name, i) => Array(2).fill(amount(`${name} ${i} next`, 3n * MYST)),
  },
  /** The first voucher of a signer to this provider. */
  new_lanes: {
    next: (name, i) => Array(2).fill(amount(`${name} ${i} next`, 3n * MYST)),
  },
};

async function measureSettle(world, scenario, size) {
  const { first, next } = SCENARIOS[scenario];
  const name = `${scenario} ${size}`;
  const signers = await signersWith(world, name, size, first);
  const items = await Promise.all(signers.map((signer, i) => item(world, signer, world.provider, ...next(name, i))));
  const receipt = await world.lanes.send(world.stranger, "settle", world.provider, items);
  const settled = receipt.logs.find((log) => log.address === world.lanes.address);
  const words = (settled.data.length - 2) / 64;
  if (words !== 4 + 2 * size) throw new Error(`${name}: not every voucher was applied`);
  return gasOf(receipt);
}

/** Tick vouchers on lanes that have enough set aside, each with `count` ticks claimed. */
async function measureTicks(world, size, count) {
  const name = `ticks ${size} ${count}`;
  const signers = await signersWith(world, name, size, SCENARIOS.reserved.first);
  const items = await Promise.all(
    signers.map((signer, i) =>
      tickItem(world, signer, world.provider, amount(`${name} ${i} next`, 3n * MYST), 10n * MYST, count),
    ),
  );
  const receipt = await world.lanes.send(world.stranger, "settleTicks", world.provider, items);
  const settled = receipt.logs.find((log) => log.address === world.lanes.address);
  if ((settled.data.length - 2) / 64 !== 4 + 2 * size) throw new Error(`${name}: not every tick voucher was applied`);
  return gasOf(receipt);
}

/** Ten reserved vouchers, paid out in each of the ways there are. */
async function measurePayouts(world) {
  const { lanes, token, funder, stranger } = world;
  const itemLists = lanes.abi.find((entry) => entry.name === "settleFor").inputs.slice(1, 3);
  const gas = {};
  const vouchers = async (name, provider) => {
    const { first, next } = SCENARIOS.reserved;
    const signers = await signersWith(world, name, 10, first, provider);
    return Promise.all(signers.map((signer, i) => item(world, signer, provider, ...next(name, i))));
  };
  const provider = accountNamed("payout provider");
  await rpc("anvil_impersonateAccount", provider.address);
  await rpc("anvil_setBalance", provider.address, toHex(10n * MYST));
  await token.send(funder, "transfer", provider.address, MYST);
  await token.send(funder, "transfer", stranger, MYST);
  await lanes.send(funder, "deposit", provider.address, MYST);
  const [earlier] = await signersWith(world, "payout earlier", 1);
  const small = await item(world, earlier, provider.address, MYST, MYST);
  await lanes.send(provider.address, "settleToAccount", provider.address, [small], []);

  let items = await vouchers("payout sent", provider.address);
  gas.sent = gasOf(await lanes.send(stranger, "settle", provider.address, items));
  items = await vouchers("payout credited", provider.address);
  gas.credited = gasOf(await lanes.send(provider.address, "settleToAccount", provider.address, items, []));
  // The first order of a key costs more, because its nonce is new; the second is measured.
  const names = ["first", "relayed_and_sent", "relayed_and_credited"];
  for (const [nonce, name] of names.entries()) {
    items = await vouchers(`payout ${name}`, provider.address);
    const relay = { relayer: NOBODY, fee: MYST / 100n };
    const toAccount = name === "relayed_and_credited";
    const message = {
      provider: provider.address,
      items: keccak256(encodeAbiParameters(itemLists, [items, []])),
      toAccount,
      relayer: relay.relayer,
      relayerFee: relay.fee,
    };
    const signed = await order(world, provider, "Settle", message, nonce);
    const receipt = await lanes.send(
      stranger, "settleFor", provider.address, items, [], toAccount, relay, signed,
    );
    if (nonce > 0) gas[name] = gasOf(receipt);
  }
  return gas;
}

async function permit(world, account, value) {
  const signature = await account.signTypedData({
    domain: domain("Mysterium Test Token", world.token.address),
    types: {
      Permit: [
        { name: "owner", type: "address" },
        { name: "spender", type: "address" },
        { name: "value", type: "uint256" },
        { name: "nonce", type: "uint256" },
        { name: "deadline", type: "uint256" },
      ],
    },
    primaryType: "Permit",
    message: { owner: account.address, spender: world.lanes.address, value, nonce: 0n, deadline: 2n ** 64n },
  });
  const { r, s, v } = parseSignature(signature);
  return [2n ** 64n, Number(v), r, s];
}

async function authorization(world, account, signer, value) {
  const validBefore = 2n ** 40n;
  const salt = keccak256("0x02");
  const nonce = keccak256(encodeAbiParameters(fieldsOf("address a,bytes32 b"), [signer, salt]));
  const fields = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce";
  const signature = await account.signTypedData({
    domain: domain("Mysterium Test Token", world.token.address),
    types: { ReceiveWithAuthorization: fieldsOf(fields) },
    primaryType: "ReceiveWithAuthorization",
    message: { from: account.address, to: world.lanes.address, value, validAfter: 0n, validBefore, nonce },
  });
  const { r, s, v } = parseSignature(signature);
  return [signer, value, { from: account.address, validAfter: 0n, validBefore, salt, v: Number(v), r, s }];
}

/** The second order of a signer each, so that its nonce is not the first. */
async function measureOrders(world, measure) {
  const { lanes, token, funder, provider, stranger } = world;
  const payer = accountNamed("payer without gas");
  await lanes.send(funder, "deposit", payer.address, 50n * MYST);
  await lanes.send(provider, "settle", provider, [await item(world, payer, provider, MYST, 5n * MYST)]);
  await token.send(funder, "transfer", stranger, MYST);
  const relay = { relayer: NOBODY, fee: MYST };
  const exit = { signer: payer.address, amount: MYST };
  let nonce = 0;
  const next = (primaryType, message) => order(world, payer, primaryType, message, nonce++);
  await lanes.send(stranger, "requestExitFor", payer.address, MYST, await next("Exit", exit));
  await lanes.send(funder, "deposit", payer.address, MYST);
  const again = await next("Exit", exit);
  await measure("request_exit_for", lanes.send(stranger, "requestExitFor", payer.address, MYST, again));
  const release = await next("Release", { signer: payer.address, provider });
  await measure("request_release_for", lanes.send(stranger, "requestReleaseFor", payer.address, provider, release));
  await rpc("evm_increaseTime", WINDOW);
  const to = { signer: payer.address, to: funder, relayer: relay.relayer, relayerFee: relay.fee };
  const withdrawal = await next("Withdraw", to);
  await measure("withdraw_for", lanes.send(stranger, "withdrawFor", payer.address, funder, relay, withdrawal));
}

async function measureSingle(world) {
  const { lanes, token, funder, provider } = world;
  const gas = { deploy_lanes: lanes.deployGas, deploy_token: token.deployGas };
  const measure = async (name, promise) => (gas[name] = gasOf(await promise));

  const payer = accountNamed("payer");
  await rpc("anvil_impersonateAccount", payer.address);
  await rpc("anvil_setBalance", payer.address, toHex(10n * MYST));
  await token.send(funder, "transfer", payer.address, 100n * MYST);
  const permission = await permit(world, payer, 50n * MYST);
  await measure(
    "deposit_with_permit_first",
    lanes.send(payer.address, "depositWithPermit", payer.address, 50n * MYST, ...permission),
  );
  await token.send(payer.address, "approve", lanes.address, 2n ** 256n - 1n);
  await measure("deposit_more", lanes.send(payer.address, "deposit", payer.address, 10n * MYST));
  const newAccount = (name) => accountNamed(`new account ${name}`).address;
  await measure("deposit_first", lanes.send(payer.address, "deposit", newAccount("a"), MYST));
  await measure("deposit_for_first", lanes.send(payer.address, "depositFor", newAccount("b"), MYST));
  const ten = Array.from({ length: 10 }, (_, i) => newAccount(i));
  await measure("deposit_many_10_first", lanes.send(payer.address, "depositMany", ten, Array(10).fill(MYST)));
  const authorized = await authorization(world, payer, newAccount("c"), MYST);
  await measure(
    "deposit_with_authorization_first",
    lanes.send(world.stranger, "depositWithAuthorization", ...authorized),
  );

  const voucher = await item(world, payer, provider, MYST, 5n * MYST);
  await lanes.send(provider, "settle", provider, [voucher]);
  await measure("request_release", lanes.send(payer.address, "requestRelease", payer.address, provider));
  await measure("request_exit", lanes.send(payer.address, "requestExit", payer.address, 20n * MYST));
  await measure("register", lanes.send(funder, "register", keccak256("0x01"), MYST));
  await measure("request_unregister", lanes.send(funder, "requestUnregister"));
  await rpc("evm_increaseTime", WINDOW);
  await measure("release", lanes.send(payer.address, "release", payer.address, provider));
  await measure("withdraw", lanes.send(payer.address, "withdraw", payer.address, payer.address));
  await measure("unregister", lanes.send(funder, "unregister"));
  const none = toHex(0, { size: 32 });
  await measure("set_owner", lanes.send(payer.address, "setOwner", payer.address, funder, none, none));
  await measureOrders(world, measure);
  return gas;
}

async function measureAll() {
  const world = await makeWorld();
  const single = await measureSingle(world);
  const batches = {};
  for (const scenario of Object.keys(SCENARIOS)) {
    batches[scenario] = {};
    for (const size of SIZES) batches[scenario][size] = await measureSettle(world, scenario, size);
  }
  const ticks = {};
  for (const count of [0, TICKS]) {
    ticks[`${count}_ticks`] = {};
    for (const size of TICK_SIZES) ticks[`${count}_ticks`][size] = await measureTicks(world, size, count);
  }
  const marginal = (gas) => Math.round((gas[50] - gas[10]) / 40);
  const ticksMarginal = marginal(ticks[`${TICKS}_ticks`]);
  const { deploy_lanes, deploy_token, ...others } = single;
  return {
    settle_marginal_50_reserved: marginal(batches.reserved),
    settle_marginal_50_unreserved: marginal(batches.unreserved),
    settle_marginal_50_new_lanes: marginal(batches.new_lanes),
    how:
      `gasUsed of receipts on anvil (${HARDFORK}), with calldata and the base fee of 21000; a voucher's share is ` +
      `(gas of 50 - gas of 10) / 40, each voucher of another signer; fee ${FEE_BPS} basis points`,
    settle_transaction_by_number_of_vouchers: batches,
    settle_ticks_marginal_50_reserved: ticksMarginal,
    settle_ticks_marginal_per_tick: Math.round((ticksMarginal - marginal(ticks["0_ticks"])) / TICKS),
    settle_ticks_transaction_by_number_of_vouchers: ticks,
    settle_10_reserved_by_payout: await measurePayouts(world),
    other_transactions: others,
    deployment: { lanes: deploy_lanes, token: deploy_token },
  };
}

/** Every figure of a table, under its path. */
function figures(table, path = "") {
  return Object.entries(table).flatMap(([key, value]) => {
    const name = path ? `${path}.${key}` : key;
    if (typeof value === "number") return [[name, value]];
    return typeof value === "object" ? figures(value, name) : [];
  });
}

/** What is worse than `file` says by more than the tolerance, missing on one side, or beyond a target. */
function findings(measured, file) {
  const now = new Map(figures(measured));
  const before = new Map(figures(file));
  const found = [];
  for (const [name, gas] of now) {
    const old = before.get(name);
    if (old === undefined) found.push(`${name} is not in gas.json`);
    else if (gas * 100 > old * (100 + TOLERANCE)) found.push(`${name} rose from ${old} to ${gas}`);
    if (gas > (TARGETS[name] ?? Infinity)) found.push(`${name} is ${gas}, the target is ${TARGETS[name]}`);
  }
  for (const name of before.keys()) if (!now.has(name)) found.push(`${name} is in gas.json and was not measured`);
  return found;
}

const anvil = await startAnvil();
try {
  url = anvil.url;
  const measured = await measureAll();
  const text = JSON.stringify(measured, null, 2) + "\n";
  process.stdout.write(text);
  if (!process.argv.includes("--check")) {
    writeFileSync(file, text);
  } else {
    const committed = readFileSync(file, "utf8");
    const found = findings(measured, JSON.parse(committed));
    for (const finding of found) console.error(`gas: ${finding}`);
    if (found.length > 0) process.exitCode = 1;
    else if (committed !== text) console.error("gas: some figures differ from gas.json by at most 1 %, or are lower");
  }
} finally {
  anvil.stop();
}
