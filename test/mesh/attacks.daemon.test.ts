// What a peer may not do: grants of others, expired, altered, used up, for something else, too small; senders that send
// what they were not asked for; receivers that ask for too much or take nothing; servers that are revoked in the middle.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAccount } from 'nats-jwt';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Link } from '../../agent/mesh/mesh.ts';
import type { ObjectKind } from '../../agent/mesh/objects.ts';
import { OUTBOX_BYTES } from '../../agent/mesh/outbox.ts';
import { type AskBody, decodeAsk, decodeGive, encodeAsk, encodeGive, type GiveBody } from '../../agent/mesh/wire.ts';
import { type GrantOrder, signGrant } from '../../master/mesh/grants.ts';
import { type Grant, GrantBody } from '../../shared/gen/aegir/v1/mesh.ts';
import { openFolderStore } from './folder-store.ts';
import { chunksKind, fileKind, makeChunks, sha256 } from './kinds.ts';
import { createMeshRig, type MeshRig, openPeer, type Passport, type Peer, type PeerOptions } from './rig.ts';

const [A, B, C] = ['srv-0123456789abcdea', 'srv-0123456789abcdeb', 'srv-0123456789abcdec'];
let rig: MeshRig;
let passports: Record<'a' | 'b' | 'c', Passport>;
const open: Peer[] = [];

beforeAll(async () => {
  rig = await createMeshRig();
  passports = { a: await rig.passport(A), b: await rig.passport(B), c: await rig.passport(C) };
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((peer) => peer.close()));
});
afterAll(() => rig.close());

async function peer(passport: Passport, options: Partial<PeerOptions> = {}): Promise<Peer> {
  const { dir } = passport;
  const kinds = [fileKind(dir), chunksKind(dir, openFolderStore(join(dir, 'store')))];
  const made = openPeer(passport, { kinds, patienceMs: 3000, ...options });
  open.push(made);
  await vi.waitFor(() => expect(made.mesh.state()).toBe('connected'), 10_000);
  return made;
}

function give(name: string, bytes: Uint8Array): GrantOrder {
  writeFileSync(join(passports.a.dir, 'give', name), bytes);
  return { senderId: A, receiverId: B, kind: 'file', name, digest: sha256(bytes), maxBytes: bytes.length };
}

function linkOf(peer: Peer): Link {
  const link = peer.mesh.current();
  if (link === undefined) throw new Error('it is not connected');
  return link;
}

/** What a receiver of our making hears from a sender, by a transfer of its own. */
function caller(by: Peer, to: string) {
  const link = linkOf(by);
  const transfer = randomBytes(12).toString('hex');
  const heard: GiveBody[] = [];
  const stop = link.hear(to, 'give', transfer, (_, __, data) => {
    const body = decodeGive(data);
    if (body !== undefined) heard.push(body);
  });
  const say = (body: AskBody) => link.send(to, 'ask', transfer, encodeAsk(body));
  return {
    ...{ heard, say, stop, link },
    begin: (grant: Grant) => say({ $case: 'open', value: { grant } }),
    bytes: (ask: number, offset: number, length: number) =>
      say({ $case: 'bytes', value: { ask, offset: BigInt(offset), length } }),
    failure: async () => {
      await vi.waitFor(() => expect(heard.some(({ $case }) => $case === 'failed')).toBe(true), 20_000);
      const failed = heard.find((each) => each.$case === 'failed');
      return failed?.$case === 'failed' ? failed.value : undefined;
    },
    opened: () => vi.waitFor(() => expect(heard.map(({ $case }) => $case)).toContain('opened'), 20_000),
  };
}

/** A sender of our making: answers each ask as it is told. */
function impostor(as: Peer, answer: (body: AskBody, reply: (body: GiveBody) => void) => void) {
  const link = linkOf(as);
  const heard: AskBody[] = [];
  const stop = link.hear('*', 'ask', '*', (from, transfer, data) => {
    const body = decodeAsk(data);
    if (body === undefined) return;
    heard.push(body);
    try {
      answer(body, (give) => link.send(from, 'give', transfer, encodeGive(give)));
    } catch {
      // The link is gone.
    }
  });
  return { heard, stop };
}
const data = (ask: number, bytes: Uint8Array, last = true): GiveBody => ({
  $case: 'data',
  value: { ask, last, chunks: [], bytes },
});
const openedBlob = (size: number): GiveBody => ({ $case: 'opened', value: { form: 'blob', size: BigInt(size) } });

function altered(grant: Grant, patch: Partial<GrantBody>): Grant {
  return { ...grant, body: GrantBody.encode({ ...GrantBody.decode(grant.body), ...patch }).finish() };
}

test.each<[string, (order: GrantOrder) => Grant, string, RegExp]>([
  ['of another receiver', (order) => rig.grant({ ...order, receiverId: C }), 'permission_denied', /another server/],
  ['of another sender', (order) => rig.grant({ ...order, senderId: C }), 'permission_denied', /another sender/],
  ['expired', (order) => rig.grant({ ...order, lifeMs: 1000 }, Date.now() - 60_000), 'deadline_exceeded', /expired/],
  ['made larger', (order) => altered(rig.grant(order), { maxBytes: 10n ** 12n }), 'permission_denied', /altered/],
  ['made longer', (order) => altered(rig.grant(order), { expiresAt: new Date(8e15) }), 'permission_denied', /altered/],
  ['for another object', (order) => altered(rig.grant(order), { name: 'other' }), 'permission_denied', /altered/],
  [
    'signed by somebody else',
    (order) => signGrant(createAccount(), { ...order, id: '0'.repeat(32) }, Date.now()),
    'permission_denied',
    /not signed by this master/,
  ],
  [
    'without a signature',
    (order) => ({ ...rig.grant(order), signature: Buffer.alloc(0) }),
    'permission_denied',
    /signed/,
  ],
  [
    'for less than there is',
    (order) => rig.grant({ ...order, maxBytes: 10 }),
    'permission_denied',
    /the grant is for 10/,
  ],
  ['for what is not there', (order) => rig.grant({ ...order, name: 'nothing' }), 'not_found', /it is not here/],
  ['for a path outside', (order) => rig.grant({ ...order, name: 'x/../../secret' }), 'permission_denied', /no object/],
  ['of a kind that nobody knows', (order) => rig.grant({ ...order, kind: 'shadow' }), 'unimplemented', /does not know/],
])('a sender refuses a grant %s', async (_, make, code, why) => {
  const [a, b] = [await peer(passports.a), await peer(passports.b)];
  const grant = make(give('secret', randomBytes(100_000)));
  const call = caller(b, A);
  call.begin(grant);
  expect(await call.failure()).toMatchObject({ code, message: expect.stringMatching(why) });
  expect(a.sender.open()).toBe(0);
  // Whoever asks all the same gets nothing.
  call.bytes(1, 0, 1000);
  await call.link.flush();
  await vi.waitFor(() => expect(call.heard.filter(({ $case }) => $case === 'failed').length).toBe(2));
  expect(call.heard.some(({ $case }) => $case === 'data')).toBe(false);
});

test.each<[string, (order: GrantOrder) => Grant, string]>([
  ['of another receiver', (order) => rig.grant({ ...order, receiverId: C }), 'permission_denied'],
  ['expired', (order) => rig.grant({ ...order, lifeMs: 1000 }, Date.now() - 60_000), 'deadline_exceeded'],
  ['altered', (order) => altered(rig.grant(order), { digest: randomBytes(32) }), 'permission_denied'],
])('a receiver refuses a grant %s before it asks anybody', async (_, make, code) => {
  const [a, b] = [await peer(passports.a), await peer(passports.b)];
  const before = a.log.length;
  await expect(b.receive(make(give('secret', randomBytes(1000))))).rejects.toMatchObject({ code });
  expect(a.log.length).toBe(before);
});

test('a third server cannot use a grant that it got hold of, and hears nothing of it', async () => {
  const [a, b, c] = [await peer(passports.a), await peer(passports.b), await peer(passports.c)];
  const grant = rig.grant(give('shared', randomBytes(3_000_000)));
  const call = caller(c, A);
  call.begin(grant);
  expect(await call.failure()).toMatchObject({ code: 'permission_denied' });
  await expect(c.receive(grant)).rejects.toMatchObject({ code: 'permission_denied' });
  expect(await b.receive(grant)).toMatchObject({ complete: true });
  expect(call.heard).toHaveLength(1);
  expect(a.log.join()).toContain(`refused ${C}`);
});

test('one that asks with bad grants, over and over, fills no log, and holds nobody up', async () => {
  const [a, b, c] = [await peer(passports.a), await peer(passports.b), await peer(passports.c)];
  const grant = altered(rig.grant(give('flooded', randomBytes(1_000_000))), { receiverId: C });
  const before = a.log.length;
  const link = linkOf(c);
  const ask = encodeAsk({ $case: 'open', value: { grant } });
  for (let i = 0; i < 3000; i++) link.send(A, 'ask', randomBytes(12).toString('hex'), ask);
  await link.flush();
  expect(await b.receive(rig.grant(give('flooded', randomBytes(1_000_000))))).toMatchObject({ complete: true });
  expect(a.log.slice(before).filter((line) => line.includes(`refused ${C}`)).length).toBeLessThanOrEqual(2);
});

test('a grant is used up when all has come', async () => {
  const [, b] = [await peer(passports.a), await peer(passports.b)];
  const grant = rig.grant(give('once', randomBytes(10_000)));
  await b.receive(grant);
  const call = caller(b, A);
  await vi.waitFor(async () => {
    call.begin(grant);
    expect(await call.failure()).toMatchObject({
      code: 'deadline_exceeded',
      message: expect.stringMatching(/used up/),
    });
  });
});

test('a receiver that asks for what is not the object, or out of order, gets nothing more', async () => {
  const a = await peer(passports.a);
  const b = await peer(passports.b);
  const order = give('small', randomBytes(100_000));
  const wrong: [string, AskBody][] = [
    ['past the end', { $case: 'bytes', value: { ask: 1, offset: 99_999n, length: 2 } }],
    ['far past it', { $case: 'bytes', value: { ask: 1, offset: 2n ** 63n, length: 2 } }],
    ['nothing', { $case: 'bytes', value: { ask: 1, offset: 0n, length: 0 } }],
    ['too much at once', { $case: 'bytes', value: { ask: 1, offset: 0n, length: 600_000 } }],
    ['chunks of a blob', { $case: 'chunks', value: { ask: 1, spans: [{ first: 0n, count: 1 }] } }],
    ['the same twice', { $case: 'bytes', value: { ask: 0, offset: 0n, length: 1 } }],
  ];
  for (const [what, ask] of wrong) {
    const call = caller(b, A);
    call.begin(rig.grant(order));
    await call.opened();
    call.say(ask);
    expect(await call.failure(), what).toMatchObject({ code: 'permission_denied' });
    call.stop();
  }
  expect(a.sender.open()).toBe(0);
});

test('chunks are asked for by their place in the granted index alone', async () => {
  const [, b] = [await peer(passports.a), await peer(passports.b)];
  const mine = await makeChunks(passports.a.dir, 'mine', [randomBytes(1000), randomBytes(1000)]);
  const order = { senderId: A, receiverId: B, kind: 'chunks', name: 'mine', maxBytes: mine.bytes };
  for (const spans of [
    [{ first: 2n, count: 1 }],
    [{ first: 0n, count: 3 }],
    [{ first: 2n ** 63n, count: 1 }],
    [{ first: 0n, count: 0 }],
    Array.from({ length: 300 }, () => ({ first: 0n, count: 1 })),
    [],
  ]) {
    const call = caller(b, A);
    call.begin(rig.grant({ ...order, digest: mine.digest }));
    await call.opened();
    call.say({ $case: 'chunks', value: { ask: 1, spans } });
    expect(await call.failure()).toMatchObject({ code: 'permission_denied' });
  }
  // An index that is not the granted one is not even opened.
  await expect(b.receive(rig.grant({ ...order, digest: randomBytes(32) }))).rejects.toMatchObject({
    code: 'permission_denied',
    message: expect.stringMatching(/it is not the one that the grant is for/),
  });
});

test('a receiver that never takes what it asked for: the sender holds little and lets go', async () => {
  const a = await peer(passports.a, { idleMs: 1500 });
  const b = await peer(passports.b);
  const size = 300_000_000;
  let read = 0;
  const zeros: ObjectKind = {
    kind: 'zeros',
    give: async () => ({
      ...{ form: 'blob', size, close: async () => {} },
      read: async (_, length) => {
        read += length;
        return Buffer.alloc(length);
      },
    }),
    take: () => Promise.reject(new Error('it is not taken')),
  };
  await a.close();
  const sender = await peer(passports.a, { kinds: [zeros], idleMs: 1500 });
  const before = process.memoryUsage().rss;
  const call = caller(b, A);
  const digest = sha256(Buffer.alloc(1));
  call.begin(rig.grant({ senderId: A, receiverId: B, kind: 'zeros', name: 'x', digest, maxBytes: size }));
  await call.opened();
  call.stop(); // takes nothing any more
  for (let ask = 1; ask <= 250; ask++) call.bytes(ask, ask * 524_288, 524_288);
  await vi.waitFor(() => expect(read).toBe(250 * 524_288), 20_000);
  expect(process.memoryUsage().rss - before).toBeLessThan(30 * OUTBOX_BYTES);
  // More at once than it may: refused.
  for (let ask = 300; ask <= 900; ask++) call.bytes(ask, 0, 524_288);
  await vi.waitFor(() => expect(sender.sender.open()).toBe(0), 5000);
});

test('a receiver that asks for nothing is forgotten', async () => {
  const [a, b] = [await peer(passports.a, { idleMs: 1500 }), await peer(passports.b)];
  const idle = caller(b, A);
  idle.begin(rig.grant(give('idle', randomBytes(1000))));
  await idle.opened();
  expect(a.sender.open()).toBe(1);
  expect(await idle.failure()).toMatchObject({ message: expect.stringMatching(/asked for nothing/) });
  expect(a.sender.open()).toBe(0);
});

test('the same bytes again and again: at some point no more', async () => {
  const [, b] = [await peer(passports.a), await peer(passports.b)];
  const call = caller(b, A);
  call.begin(rig.grant(give('again', randomBytes(500_000))));
  await call.opened();
  let ask = 0;
  const got = () => call.heard.filter(({ $case }) => $case === 'data').length;
  const over = () => call.heard.find((each) => each.$case === 'failed');
  while (over() === undefined && ask < 1000) {
    for (let i = 0; i < 16; i++) call.bytes(++ask, 0, 500_000);
    await vi.waitFor(() => expect(got() === ask || over() !== undefined).toBe(true), 10_000);
  }
  expect(over()).toMatchObject({ value: { code: 'resource_exhausted' } });
  // 2 × the object and what windows may lose.
  expect(ask * 500_000).toBeLessThan(300_000_000);
});

test.each<[string, (body: AskBody, reply: (body: GiveBody) => void, bytes: Buffer) => void, string, RegExp]>([
  [
    'other bytes',
    (body, reply, bytes) => {
      if (body.$case === 'open') reply(openedBlob(bytes.length));
      if (body.$case === 'bytes') reply(data(body.value.ask, Buffer.alloc(body.value.length)));
    },
    'data_loss',
    /its digest is not the granted one/,
  ],
  [
    'more than it was asked for',
    (body, reply, bytes) => {
      if (body.$case === 'open') reply(openedBlob(bytes.length));
      if (body.$case === 'bytes') reply(data(body.value.ask, Buffer.alloc(body.value.length + 1)));
    },
    'permission_denied',
    /more than it was asked for/,
  ],
  [
    'less than it was asked for',
    (body, reply, bytes) => {
      if (body.$case === 'open') reply(openedBlob(bytes.length));
      if (body.$case === 'bytes') reply(data(body.value.ask, Buffer.alloc(body.value.length - 1)));
    },
    'data_loss',
    /less than it was asked for/,
  ],
  [
    'without being asked',
    (body, reply, bytes) => {
      if (body.$case !== 'open') return;
      reply(openedBlob(bytes.length));
      // More than any window, and less than the node keeps for a receiver that has other things to do.
      for (let ask = 1; ask <= 24; ask++) reply(data(ask + 1000, Buffer.alloc(500_000)));
    },
    'permission_denied',
    /what it was not asked for/,
  ],
  [
    'parts without end',
    (body, reply, bytes) => {
      if (body.$case === 'open') reply(openedBlob(bytes.length));
      if (body.$case === 'bytes' && body.value.ask === 1)
        for (let i = 0; i < 20; i++) reply(data(body.value.ask, Buffer.alloc(100_000), false));
    },
    'permission_denied',
    /more than it was asked for/,
  ],
  [
    'a size beyond the grant',
    (body, reply) => {
      if (body.$case === 'open') reply(openedBlob(2 ** 50));
    },
    'permission_denied',
    /says 1125899906842624 bytes, the grant is for/,
  ],
  [
    'chunks for a blob',
    (body, reply) => {
      if (body.$case === 'open') reply({ $case: 'opened', value: { form: 'chunks', size: 10n } });
    },
    'permission_denied',
    /another form/,
  ],
  ['nothing at all', () => {}, 'unavailable', /has said nothing for/],
])('a sender that sends %s: refused, told, and nothing of it is kept', async (what, answer, code, why) => {
  const bytes = randomBytes(2_000_000);
  const b = await peer(passports.b, what === 'nothing at all' ? { idleMs: 2000, patienceMs: 1500 } : {});
  // Its real sender is not there: only the impostor has the link.
  const a = await peer(passports.a, { kinds: [] });
  await a.sender.close();
  const name = `false-${what.replaceAll(' ', '-')}`;
  const { heard } = impostor(a, (body, reply) => answer(body, reply, bytes));
  const grant = rig.grant({ ...give(name, bytes) });
  const before = process.memoryUsage().rss;
  await expect(b.receive(grant)).rejects.toMatchObject({
    ...{ code, message: expect.stringMatching(/^cannot receive file false-.* from srv-/) },
  });
  await expect(b.receive(grant)).rejects.toThrow(why);
  expect(process.memoryUsage().rss - before).toBeLessThan(300_000_000);
  expect(existsSync(join(b.dir, 'take', name))).toBe(false);
  if (code === 'data_loss' && what === 'other bytes') {
    expect(readdirSync(join(b.dir, 'take'))).not.toContain(`${name}.part`);
  }
  expect(heard.length).toBeGreaterThan(0);
});

test('a damaged chunk is named, and the store of the receiver stays clean', async () => {
  const [, b] = [await peer(passports.a), await peer(passports.b)];
  const chunks = Array.from({ length: 50 }, () => randomBytes(20_000));
  const made = await makeChunks(passports.a.dir, 'damaged', chunks);
  const bad = made.refs[31]?.id ?? '';
  writeFileSync(join(passports.a.dir, 'store', bad.slice(0, 2), bad), Buffer.alloc(20_000));
  const order = {
    senderId: A,
    receiverId: B,
    kind: 'chunks',
    name: 'damaged',
    digest: made.digest,
    maxBytes: made.bytes,
  };
  await expect(b.receive(rig.grant(order))).rejects.toMatchObject({
    code: 'data_loss',
    message: expect.stringContaining(`chunk ${bad} is not what its digest says`),
  });
  expect(existsSync(join(b.dir, 'take', 'damaged.caibx'))).toBe(false);
  expect(await openFolderStore(join(b.dir, 'store')).has([bad])).toEqual([false]);
  // Mended: the rest of it travels, and what had come does not.
  writeFileSync(join(passports.a.dir, 'store', bad.slice(0, 2), bad), chunks[31] as Buffer);
  const again = await b.receive(rig.grant(order));
  expect(again.complete).toBe(true);
  expect(again.receivedChunks).toBeLessThanOrEqual(50n);
});

test('revoked in the middle: nothing comes any more within 5 s, and not again', async () => {
  const own = await rig.passport('srv-0123456789abcded');
  const a = await peer(passports.a, { bytesPerSecond: 3_000_000 });
  const d = await peer(own);
  const grant = rig.grant({ ...give('revoked', randomBytes(60_000_000)), receiverId: own.id });
  let there = 0;
  const going = d.receive(grant, {
    onProgress: (bytes) => {
      there = bytes;
    },
  });
  const ended = expect(going).rejects.toMatchObject({ code: 'unavailable' });
  await vi.waitFor(() => expect(there).toBeGreaterThan(1_000_000), 10_000);
  const begun = performance.now();
  const link = linkOf(d);
  await rig.mesh.revoke(own.id);
  await vi.waitFor(() => expect(link.lost.aborted).toBe(true), 5000);
  expect(performance.now() - begun).toBeLessThan(5000);
  const cut = there;
  await ended;
  expect(there).toBeLessThan(cut + 10_000_000);
  expect(d.mesh.state()).toBe('disconnected');
  // The others go on as before.
  expect(a.mesh.state()).toBe('connected');
  await expect(rig.mesh.credentials(own.id, d.mesh.key())).rejects.toMatchObject({ code: 'permission_denied' });
});

test('a slow receiver slows its sender, and nobody else', async () => {
  const bytes = randomBytes(30_000_000);
  const [, b, c] = [
    await peer(passports.a),
    await peer(passports.b, { bytesPerSecond: 2_000_000 }),
    await peer(passports.c),
  ];
  const stop = new AbortController();
  const order = give('slow', bytes);
  const slow = b.receive(rig.grant(order), { signal: stop.signal });
  slow.catch(() => {});
  const begin = performance.now();
  expect(await c.receive(rig.grant({ ...order, receiverId: C }))).toMatchObject({ complete: true });
  expect(performance.now() - begin).toBeLessThan(5000);
  stop.abort();
  await expect(slow).rejects.toMatchObject({ code: 'cancelled' });
  expect(
    createHash('sha256')
      .update(readFileSync(join(c.dir, 'take', 'slow')))
      .digest(),
  ).toEqual(sha256(bytes));
});
