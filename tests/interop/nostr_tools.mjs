// nostr-tools as a client of our relay, and its NIP-13 and NIP-44 against ours.
// Usage: node nostr_tools.mjs <myst_interop_relay> <myst_differential>
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { webcrypto } from 'node:crypto';
import WebSocket from 'ws';
import { Inbox, run, test, within } from './harness.mjs';

globalThis.crypto ??= webcrypto; // Node 18 has it under another name

const { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } = await import('nostr-tools/pure');
const { Relay, useWebSocketImplementation } = await import('nostr-tools/relay');
const { fetchRelayInformation } = await import('nostr-tools/nip11');
const { getPow, minePow } = await import('nostr-tools/nip13');
const nip44 = await import('nostr-tools/nip44');
// Not among the package's exports.
const { NegentropyStorageVector, NegentropySync } = await import('./node_modules/nostr-tools/lib/esm/nip77.js');
useWebSocketImplementation(WebSocket);

const [relayProgram, answersProgram] = process.argv.slice(2);
const kProposal = 30510;
const kEnvelope = 20510;
const kDuplicate = /^Error: duplicate: /;

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const now = () => Math.floor(Date.now() / 1000);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Without nostr-tools' own mark of a verified event. */
const plain = (event) => JSON.parse(JSON.stringify(event));
const ids = (events) => events.map((event) => event.id);

/** A proposal as docs/records.md has it. `of` replaces what a test is about. */
function proposal(of = {}) {
  const { key = generateSecretKey(), country = 'DE', service = 'wireguard', createdAt = now(), life = 3600 } = of;
  const tags = [
    ['d', service], ['expiration', String(createdAt + life)], ['service', service], ['s', service],
    ['country', country], ['c', country], ['l', `${service}:${country}`], ['price_gib', '50000000000000000'],
    ['price_hour', '0'], ['payee', '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'],
    ['chain', '31337', '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'],
  ];
  const content = JSON.stringify({ v: 1, terms: 'Größe, "quotes" \\ \n', name: of.name ?? 'node' });
  return finalizeEvent({ kind: of.kind ?? kProposal, created_at: createdAt, tags, content }, key);
}

function envelope(to, of = {}) {
  const sealed = { kind: kEnvelope, created_at: of.createdAt ?? now(), tags: [['p', to]], content: of.content ?? 'sealed' };
  return finalizeEvent(sealed, of.key ?? generateSecretKey());
}

/** Starts a relay of its own for a test, and ends it. */
async function withRelay(body) {
  const child = spawn(relayProgram, [], { stdio: ['ignore', 'pipe', 'inherit'] });
  const opened = [];
  try {
    const [line] = await within(10_000, 'the relay', once(child.stdout, 'data'));
    const url = line.toString().trim();
    const connect = async () => {
      const relay = await Relay.connect(url);
      opened.push(relay);
      return relay;
    };
    await body(await connect(), { url, connect });
  } finally {
    for (const relay of opened) relay.close();
    child.kill();
  }
}

/** What is stored, in the relay's order; a query that is refused throws its reason. */
function query(relay, filter) {
  return new Promise((resolve, reject) => {
    const found = [];
    const subscription = relay.subscribe([filter], {
      onevent: (event) => found.push(event),
      oninvalidevent: (event) => reject(new Error(`an invalid event: ${JSON.stringify(event)}`)),
      oneose: () => {
        resolve(found);
        subscription.close();
      },
      onclose: (reason) => reject(new Error(reason)),
    });
  });
}

/** A subscription that is in force when this returns. */
async function follow(relay, filter) {
  const inbox = new Inbox();
  await new Promise((resolve, reject) => {
    relay.subscribe([filter], { onevent: (event) => inbox.push(event), oneose: resolve, onclose: (why) => reject(new Error(why)) });
  });
  return inbox;
}

function ask(question) {
  const done = spawnSync(answersProgram, [], { input: JSON.stringify(question) + '\n', encoding: 'utf8' });
  const answer = JSON.parse(done.stdout);
  assert.equal(answer.error, undefined);
  return answer;
}

test('publishes_and_reads_back', () => withRelay(async (relay) => {
  const event = proposal();
  await relay.publish(event);
  const [found] = await query(relay, { kinds: [kProposal] });
  assert.deepEqual(plain(found), plain(event));
  assert.ok(verifyEvent(plain(found)));
  await relay.publish(event); // "duplicate:", and yet a success
}));

test('finds_by_service_country_and_label', () => withRelay(async (relay) => {
  const [german, dutch, other] = [proposal(), proposal({ country: 'NL' }), proposal({ service: 'other' })];
  for (const event of [german, dutch, other]) await relay.publish(event);
  const found = async (filter) => ids(await query(relay, { kinds: [kProposal], ...filter })).sort();
  assert.deepEqual(await found({ '#s': ['wireguard'] }), ids([german, dutch]).sort());
  assert.deepEqual(await found({ '#c': ['NL', 'FR'] }), [dutch.id]);
  assert.deepEqual(await found({ '#l': ['other:DE'] }), [other.id]);
  assert.deepEqual(await found({ '#s': ['wireguard'], '#c': ['DE'] }), [german.id]);
  assert.deepEqual(await found({ authors: [dutch.pubkey], '#d': ['wireguard'] }), [dutch.id]);
  assert.deepEqual(await found({ '#c': ['US'] }), []);
  assert.deepEqual(await found({ ids: [other.id] }), [other.id]);
}));

test('reads_pages_newest_first', () => withRelay(async (relay) => {
  const start = now() - 100;
  const events = Array.from({ length: 23 }, (_, i) => proposal({ createdAt: start + i }));
  for (const event of events) await relay.publish(event);
  const newestFirst = ids(events).reverse();
  const read = [];
  for (let until = now() + 60; ; ) {
    const page = await query(relay, { kinds: [kProposal], limit: 5, until });
    read.push(...ids(page));
    if (page.length < 5) break;
    until = page.at(-1).created_at - 1;
  }
  assert.deepEqual(read, newestFirst);
  const since = await query(relay, { kinds: [kProposal], since: start + 20 });
  assert.deepEqual(ids(since), newestFirst.slice(0, 3));
}));

test('follows_what_is_new', () => withRelay(async (relay, { connect }) => {
  const before = proposal();
  await relay.publish(before);
  const inbox = await follow(relay, { kinds: [kProposal], '#c': ['DE'] });
  const author = await connect();
  await author.publish(proposal({ country: 'NL' }));
  const after = proposal();
  await author.publish(after);
  assert.deepEqual(ids(await inbox.atLeast(2)), ids([before, after]));
}));

test('passes_envelopes_to_the_recipient_only_and_stores_none', () => withRelay(async (relay, { connect }) => {
  const [recipient, stranger] = [generateSecretKey(), generateSecretKey()].map((key) => getPublicKey(key));
  const sender = await connect();
  const mine = await follow(relay, { kinds: [kEnvelope], '#p': [recipient] });
  const theirs = await follow(await connect(), { kinds: [kEnvelope], '#p': [stranger] });
  const all = await follow(await connect(), { kinds: [kEnvelope] });
  const [first, second] = [envelope(recipient), envelope(recipient)];
  await sender.publish(first);
  await sender.publish(second);
  assert.deepEqual(ids(await mine.atLeast(2)), ids([first, second]));
  await sender.publish(envelope(stranger));
  assert.equal((await theirs.atLeast(1)).length, 1);
  assert.deepEqual(all.items, []);
  assert.deepEqual(await query(sender, { kinds: [kEnvelope], '#p': [recipient] }), []);
}));

test('keeps_the_newest_version', () => withRelay(async (relay) => {
  const key = generateSecretKey();
  const [older, newer] = [-2, -1].map((ago) => proposal({ key, createdAt: now() + ago }));
  await relay.publish(newer);
  await assert.rejects(relay.publish(older), kDuplicate);
  assert.deepEqual(ids(await query(relay, { kinds: [kProposal] })), [newer.id]);
  const newest = proposal({ key });
  await relay.publish(newest);
  assert.deepEqual(ids(await query(relay, { authors: [newest.pubkey] })), [newest.id]);
}));

test('forgets_what_has_expired', () => withRelay(async (relay) => {
  await assert.rejects(relay.publish(proposal({ createdAt: now() - 20, life: 10 })), /^Error: invalid: /);
  const brief = proposal({ life: 2 });
  await relay.publish(brief);
  while (now() < brief.created_at + 2) await sleep(50);
  assert.deepEqual(await query(relay, { kinds: [kProposal] }), []);
}));

test('refuses_with_the_right_prefix', () => withRelay(async (relay) => {
  const genuine = proposal();
  const forged = { ...genuine, sig: genuine.sig.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) };
  await assert.rejects(relay.publish(forged), /^Error: invalid: /);
  const changed = { ...genuine, content: genuine.content + ' ' };
  await assert.rejects(relay.publish(changed), /^Error: invalid: /);
  await assert.rejects(relay.publish(proposal({ createdAt: now() + 120 })), /^Error: invalid: /);
  await assert.rejects(relay.publish(proposal({ kind: 1 })), /^Error: blocked: /);
  await assert.rejects(relay.publish(envelope(genuine.pubkey, { createdAt: now() - 300 })), /^Error: invalid: /);
  const crowd = Array.from({ length: 11 }, () => ({ kinds: [kProposal] }));
  const refused = new Promise((resolve) => relay.subscribe(crowd, { onclose: resolve }));
  assert.match(await refused, /^invalid: /);
  await relay.publish(genuine); // and the connection still stands
}));

test('answers_a_client_that_looks_whether_it_lives', () => withRelay(async (relay) => {
  // As nostr-tools does in a browser, where it cannot ping: a query for an event that does not exist.
  assert.deepEqual(await query(relay, { ids: ['a'.repeat(64)], limit: 0 }), []);
}));

test('describes_itself', () => withRelay(async (_, { url }) => {
  const document = await fetchRelayInformation(url);
  for (const nip of [1, 11, 40, 77]) assert.ok(document.supported_nips.includes(nip), `NIP-${nip}`);
  assert.equal(document.limitation.auth_required, false);
  assert.equal(document.limitation.restricted_writes, true);
  assert.ok(document.limitation.max_limit >= 500);
  const answer = await fetch(url.replace('ws:', 'http:'), { headers: { Accept: 'application/nostr+json' } });
  assert.match(answer.headers.get('content-type'), /^application\/nostr\+json/);
  assert.equal(answer.headers.get('access-control-allow-origin'), '*'); // a web page may read it
}));

test('reconciles_sets', () => withRelay(async (relay) => {
  const events = Array.from({ length: 150 }, (_, i) => proposal({ createdAt: now() - i }));
  const [common, theirs, mine] = [events.slice(0, 100), events.slice(100, 130), events.slice(130)];
  await Promise.all([...common, ...theirs].map((event) => relay.publish(event)));
  const storage = new NegentropyStorageVector();
  for (const event of [...common, ...mine]) storage.insert(event.created_at, event.id);
  storage.seal();
  const [have, need] = [[], []];
  await new Promise((resolve, reject) => {
    const sync = new NegentropySync(relay, storage, { kinds: [kProposal] }, {
      onhave: (id) => have.push(id),
      onneed: (id) => need.push(id),
      onclose: (reason) => (reason ? reject(new Error(reason)) : resolve()),
    });
    sync.start();
  });
  assert.deepEqual(have.sort(), ids(mine).sort());
  assert.deepEqual(need.sort(), ids(theirs).sort());
}));

test('work_counts_on_both_sides', async () => {
  const key = generateSecretKey();
  const draft = { pubkey: getPublicKey(key), kind: kProposal, created_at: now(), tags: [['d', 'wireguard']], content: 'ö' };
  const mined = minePow({ ...draft, tags: [...draft.tags] }, 10);
  const { id, pubkey, ...template } = mined;
  const signed = finalizeEvent(template, key);
  assert.equal(signed.id, id);
  const ours = ask({ op: 'work', wire: JSON.stringify(signed), key: '0x' + hex(key), bits: 11 });
  assert.equal(ours.proven, 10);
  assert.ok(ours.added);
  assert.ok(verifyEvent(ours.wire));
  assert.ok(getPow(ours.wire.id) >= 11);
  assert.equal(ours.wire.tags.find(([name]) => name === 'nonce')[2], '11');
  const lucky = { ...signed, tags: signed.tags.map((tag) => (tag[0] === 'nonce' ? [tag[0], tag[1], '64'] : tag)) };
  assert.equal(ask({ op: 'work', wire: JSON.stringify(lucky), key: '0x' + hex(key), bits: 1 }).proven, 0);
});

test('encrypts_alike', async () => {
  for (const plaintext of ['a', 'ä'.repeat(40), 'x'.repeat(65_535)]) {
    const [from, to, nonce] = [generateSecretKey(), generateSecretKey(), webcrypto.getRandomValues(new Uint8Array(32))];
    const answer = ask({ op: 'nip44', from: '0x' + hex(from), to: '0x' + hex(to), nonce: '0x' + hex(nonce), plaintext });
    const shared = nip44.getConversationKey(from, getPublicKey(to));
    assert.equal(answer.conversationKey, '0x' + hex(shared));
    assert.equal(answer.payload, nip44.encrypt(plaintext, shared, nonce));
    assert.equal(answer.plaintext, plaintext); // ours reads it, and so does nostr-tools
    assert.equal(nip44.decrypt(answer.payload, nip44.getConversationKey(to, getPublicKey(from))), plaintext);
  }
});

await run('nostr-tools');
