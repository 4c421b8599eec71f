// Who may call what, over real gRPC and TLS: every method of the descriptors × every kind of caller. A method without a
// right, or one that forgets to ask who is calling, fails here.
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { AddPlatformRequest, ChangeOptions, SiteRequest, TaskServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { MASTER_IDENTITY } from '../../shared/identity.ts';
import { ROLES, type Role } from '../../shared/vocabulary.ts';
import { fingerprint, type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids } from '../../test/records.ts';
import { RIGHTS } from './rights.ts';

let master: MasterApi;
let client: Client;
const tokens = new Map<string, string>();

beforeAll(async () => {
  master = await openMasterApi();
  const trust = credentials.createSsl(Buffer.from(master.caPem), null, null, {
    checkServerIdentity: (_, { subjectaltname = '' }) =>
      subjectaltname.split(', ').includes(`URI:${MASTER_IDENTITY}`) ? undefined : new Error('it is no master'),
  });
  client = new Client(master.address, trust, { 'grpc.ssl_target_name_override': 'master.aegir.internal' });
  for (const role of ROLES) {
    tokens.set(role, await master.token({ role }));
    tokens.set(`expired ${role}`, await master.token({ role, expiresAt: Date.now() }));
    tokens.set(`revoked ${role}`, await master.token({ role, revokedAt: Date.now() - 1 }));
  }
  tokens.set('join token', await master.token({ kind: 'join', usesLeft: 5, role: '' }));
  tokens.set('join token with a role', await master.token({ kind: 'join', usesLeft: 5, role: 'admin' }));
  tokens.set('token without a role', await master.token({ role: '' }));
});
afterAll(async () => {
  client.close();
  await master.close();
});

interface Answer {
  readonly code: number;
  readonly details: string;
}

const RANK = { viewer: 1, operator: 2, admin: 3 } as const;
const AGENTS_OWN = ['aegir.v1.EnrolService', 'aegir.v1.AgentService'];

function methods(): { path: string; streams: boolean }[] {
  return Object.entries(master.definitions).flatMap(([service, definition]) =>
    'format' in definition || AGENTS_OWN.includes(service)
      ? []
      : Object.values(definition).map(({ path, responseStream }) => ({ path, streams: responseStream })),
  );
}

/** An empty request: valid on the wire for every method, and about nothing that is there. */
function call(
  path: string,
  streams: boolean,
  headers: Readonly<Record<string, string>>,
  body = Buffer.alloc(0),
): Promise<Answer> {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
  const bytes = (message: Buffer) => message;
  const options = { deadline: Date.now() + 5000 };
  const answer = (error: ServiceError | null) => ({ code: error?.code ?? 0, details: error?.details ?? '' });
  return new Promise((resolve) => {
    if (!streams) {
      const done = (error: ServiceError | null) => resolve(answer(error));
      client.makeUnaryRequest(path, bytes, bytes, body, metadata, options, done);
      return;
    }
    const stream = client.makeServerStreamRequest(path, bytes, bytes, Buffer.alloc(0), metadata, options);
    stream.on('error', (error: ServiceError) => resolve(answer(error)));
    stream.on('end', () => resolve({ code: 0, details: '' }));
    stream.resume();
  });
}

const bearer = (name: string) => ({ authorization: `Bearer ${tokens.get(name)}` });
/** Nobody: each is refused in the same words, so that nothing is learnt of tokens; who knows a whole one is told its end. */
const NOBODIES: readonly (readonly [string, () => Record<string, string>])[] = [
  ['no token', () => ({})],
  ['an empty token', () => ({ authorization: 'Bearer ' })],
  ['garbage', () => ({ authorization: 'Bearer garbage' })],
  ['a token of the right form', () => ({ authorization: `Bearer aegir-api-${'A'.repeat(43)}` })],
  ['a value without end', () => ({ authorization: `Bearer ${'x'.repeat(5000)}` })],
  ['another scheme', () => ({ authorization: `Basic ${tokens.get('admin')}` })],
  ['a token and more', () => ({ authorization: `Bearer ${tokens.get('admin')} x` })],
  ['the hash of a token', () => ({ authorization: `Bearer ${tokens.get('admin')?.slice(0, -1)}` })],
  ['another header', () => ({ 'x-authorization': `Bearer ${tokens.get('admin')}` })],
  ...ROLES.flatMap((role) => [
    [`an expired ${role}`, () => bearer(`expired ${role}`)] as const,
    [`a revoked ${role}`, () => bearer(`revoked ${role}`)] as const,
  ]),
  ['a join token', () => bearer('join token')],
  ['a join token with a role', () => bearer('join token with a role')],
  ['a token without a role', () => bearer('token without a role')],
];

test('every method of the descriptors has a right, and there are no others', () => {
  expect(Object.keys(RIGHTS).sort()).toEqual(
    methods()
      .map(({ path }) => path)
      .sort(),
  );
});

test.each(NOBODIES)('%s is refused everywhere', async (name, headers) => {
  const before = await fingerprint(master.store);
  const answers = await Promise.all(methods().map(({ path, streams }) => call(path, streams, headers())));
  const why = name.includes('expired')
    ? /token tok-\w+ has expired/
    : name.includes('revoked')
      ? /token tok-\w+ was revoked/
      : /it needs a valid API token/;
  const whole = new RegExp(
    `^cannot authorise the call: ${why.source}; an administrator makes one with: aegir token create api --role operator$`,
  );
  expect(answers).toEqual(answers.map(() => ({ code: status.UNAUTHENTICATED, details: expect.stringMatching(whole) })));
  expect(new Set(answers.map(({ details }) => details)).size).toBe(1);
  expect(await fingerprint(master.store)).toBe(before);
});

describe.each(ROLES)('%s', (role: Role) => {
  test('is refused what its role may not, and nothing else', async () => {
    const before = await fingerprint(master.store);
    for (const { path, streams } of methods()) {
      const needed = RIGHTS[path] as Role;
      const answer = await call(path, streams, bearer(role));
      const name = path
        .split('/')
        .at(-1)
        ?.replace(/\B[A-Z]/g, ' $&')
        .toLowerCase();
      if (RANK[role] < RANK[needed]) {
        expect(answer, path).toEqual({
          code: status.PERMISSION_DENIED,
          details: `cannot ${name}: it needs the role ${needed}, and that of this token is ${role}`,
        });
      } else {
        expect([status.UNAUTHENTICATED, status.PERMISSION_DENIED, status.UNIMPLEMENTED], path).not.toContain(
          answer.code,
        );
      }
    }
    if (role === 'viewer') expect(await fingerprint(master.store)).toBe(before);
  });
});

test('who may look may plan what operators change, and nothing comes of it; what administrators change is theirs', async () => {
  const before = await fingerprint(master.store);
  const options = { planOnly: true, idempotencyKey: '' };
  for (const { path } of methods().filter(({ path }) => RIGHTS[path] === 'operator' || RIGHTS[path] === 'admin')) {
    // The options have another number in each request: with all of them, whichever it is says to plan.
    const body = Buffer.concat(
      Array.from({ length: 30 }, (_, field) => {
        const planned = ChangeOptions.encode(ChangeOptions.fromPartial(options)).finish();
        return Buffer.concat([varint(((field + 1) << 3) | 2), varint(planned.length), planned]);
      }),
    );
    const { code } = await call(path, false, bearer('viewer'), body);
    // A request without options is none to plan with.
    const refused = code === status.PERMISSION_DENIED;
    if (RIGHTS[path] === 'admin') expect([path, refused]).toEqual([path, true]);
  }
  // Its plan would tell what lies at any path of a server.
  const add = AddPlatformRequest.fromPartial({ name: 'probe', root: '/root', options });
  const probe = Buffer.from(AddPlatformRequest.encode(add).finish());
  const addPlatform = '/aegir.v1.PlatformService/AddPlatform';
  expect((await call(addPlatform, false, bearer('viewer'), probe)).code).toBe(status.PERMISSION_DENIED);
  expect((await call(addPlatform, false, bearer('operator'), probe)).code).not.toBe(status.PERMISSION_DENIED);
  const site = SiteRequest.encode(SiteRequest.fromPartial({ site: ids.site, options })).finish();
  const verify = '/aegir.v1.SiteService/VerifySite';
  expect(await call(verify, false, bearer('viewer'), Buffer.from(site))).toMatchObject({ code: status.OK });
  expect(await fingerprint(master.store)).toBe(before);
  const change = SiteRequest.encode(SiteRequest.fromPartial({ site: ids.site })).finish();
  expect((await call(verify, false, bearer('viewer'), Buffer.from(change))).code).toBe(status.PERMISSION_DENIED);
});

function varint(n: number): Buffer {
  return n < 128 ? Buffer.from([n]) : Buffer.from([(n & 127) | 128, n >> 7]);
}

test('a token that is revoked or runs out while a connection is open is refused at its next call', async () => {
  const path = '/aegir.v1.GraphService/GetStatus';
  const [token] = await master.store.tokens.find({ role: 'viewer', revokedAt: null, expiresAt: null });
  expect(token).toBeDefined();
  expect((await call(path, false, bearer('viewer'))).code).toBe(status.OK);
  await master.store.tokens.update(token?.id ?? '', { revokedAt: Date.now() });
  expect((await call(path, false, bearer('viewer'))).code).toBe(status.UNAUTHENTICATED);
  await master.store.tokens.update(token?.id ?? '', { revokedAt: null, expiresAt: Date.now() - 1 });
  expect((await call(path, false, bearer('viewer'))).code).toBe(status.UNAUTHENTICATED);
  await master.store.tokens.update(token?.id ?? '', { expiresAt: null });
  expect((await call(path, false, bearer('viewer'))).code).toBe(status.OK);
});

test("the agents' own services are not served here, whoever asks", async () => {
  for (const service of AGENTS_OWN) {
    const definition = master.definitions[service];
    if (definition === undefined || 'format' in definition) throw new Error(`${service} is gone`);
    for (const { path } of Object.values(definition))
      expect((await call(path, false, bearer('admin'))).code, path).toBe(status.UNIMPLEMENTED);
  }
  expect((await call('/aegir.v1.SiteService/Unheard', false, bearer('admin'))).code).toBe(status.UNIMPLEMENTED);
});

test('who changed something, or tried to, stands in the audit log, without the token', async () => {
  const log = await master.store.audit.list(undefined, 500);
  const reads = (path: string) => RIGHTS[path] === 'viewer' || path.endsWith('/ListTokens');
  expect(log.filter(({ method, outcome }) => reads(method) && outcome === 'ok')).toEqual([]);
  const strangers = log.filter(({ actor }) => actor === 'stranger at 127.0.0.1');
  expect(strangers[0]).toMatchObject({ outcome: 'unauthenticated' });
  // However often they knocked.
  expect(strangers.length).toBeLessThan(50);
  for (const { path } of methods().filter(({ path }) => !reads(path)))
    expect(
      log.some(({ method }) => method === path),
      path,
    ).toBe(true);
  const text = JSON.stringify(log);
  for (const value of tokens.values()) expect(text).not.toContain(value);
  expect(master.faults).toEqual([]);
});

test('a watch ends when its token is revoked, and gives nothing after that', async () => {
  const { store, events } = master;
  const taskId = 'task-0123456789abcdef';
  await store.tasks.insert({
    ...{ id: taskId, verb: 'site.login', subjectId: 's', subject: 's', state: 'running', reason: '', actor: 'a' },
    ...{ plan: {}, createdAt: 1, startedAt: 1, finishedAt: null, resumeAt: null, cancelRequested: false },
    ...{ undoCause: null, idempotencyKey: null, locks: [], steps: [] },
  });
  const say = (text: string, value: string) =>
    events.emit(taskId, null, { $case: 'message', value: { kind: 'link', text, value, expiresAt: undefined } });
  const watch = (role: string) => {
    const texts: string[] = [];
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${tokens.get(role)}`);
    const { path, requestSerialize, responseDeserialize } = TaskServiceService.watchTask;
    const request = { taskId, afterSeq: 0n };
    const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata);
    stream.on('data', ({ body }) => {
      if (body?.$case === 'message') texts.push(`${body.value.text} ${body.value.value}`);
    });
    const code = new Promise<number>((resolve) => {
      stream.on('error', (error: ServiceError) => resolve(error.code));
      stream.on('end', () => resolve(0));
    });
    return { texts, code, stream };
  };
  const [operator, viewer] = [watch('operator'), watch('viewer')];
  say('first', 'https://example.org/1');
  await vi.waitFor(() => expect(operator.texts).toEqual(['first https://example.org/1']));
  // A viewer is told that there is a link, not the link.
  await vi.waitFor(() => expect(viewer.texts).toEqual(['first ']));
  const mine = (await store.tokens.find({ role: 'operator' })).find(
    (token) => token.revokedAt === null && token.expiresAt === null,
  );
  await store.tokens.update(mine?.id ?? '', { revokedAt: Date.now() });
  say('second', 'https://example.org/2');
  expect(await operator.code).toBe(status.UNAUTHENTICATED);
  expect(operator.texts).toHaveLength(1);
  await vi.waitFor(() => expect(viewer.texts).toEqual(['first ', 'second ']));
  viewer.stream.cancel();
  expect(await viewer.code).toBe(status.CANCELLED);
});
