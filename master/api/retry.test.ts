// A task that somebody else left behind is no way around one's role: whatever a verb's method takes, it takes to try
// such a task again, to go on with it, and to give it up. Over real gRPC and TLS, for every verb there is.
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CancelTaskRequest, RetryTaskRequest, TaskServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { ROLES, type Role } from '../../shared/vocabulary.ts';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids } from '../../test/records.ts';
import { taskView } from '../admin/view-task.ts';
import type { JsonObject, TaskState } from '../store/model.ts';
import { STANDS_FOR } from './retry.ts';
import { RIGHTS } from './rights.ts';

let master: MasterApi;
let client: Client;
const tokens = new Map<string, string>();
const RANK = { viewer: 1, operator: 2, admin: 3 } as const;

beforeAll(async () => {
  master = await openMasterApi();
  const trust = credentials.createSsl(Buffer.from(master.caPem), null, null, { checkServerIdentity: () => undefined });
  client = new Client(master.address, trust, { 'grpc.ssl_target_name_override': 'master.aegir.internal' });
  for (const role of ROLES) tokens.set(role, await master.token({ role, description: role }));
});
afterAll(async () => {
  client.close();
  await master.close();
});

let serial = 0;

async function left(verb: string, state: TaskState, asked: JsonObject = {}): Promise<string> {
  serial += 1;
  const id = `task-${String(serial).padStart(16, '0')}`;
  const plan = { verb, subjectId: ids.site, subject: 'example.org', summary: '', steps: [], warnings: [], locks: [] };
  await master.store.tasks.insert({
    ...{ id, verb, subjectId: ids.site, subject: 'example.org', state, reason: '', actor: 'somebody' },
    plan: { ...plan, pointOfNoReturn: null, request: { method: verb, ...asked } },
    ...{ createdAt: 1, startedAt: 1, finishedAt: null, resumeAt: null, cancelRequested: false },
    ...{ undoCause: null, idempotencyKey: null, locks: [], steps: [] },
  });
  return id;
}

function call(method: 'retryTask' | 'cancelTask', taskId: string, role: string) {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${tokens.get(role)}`);
  const message = method === 'retryTask' ? RetryTaskRequest : CancelTaskRequest;
  const body = Buffer.from(message.encode({ taskId }).finish());
  const bytes = (each: Buffer) => each;
  return new Promise<{ code: number; details: string }>((resolve) => {
    const done = (error: ServiceError | null) => resolve({ code: error?.code ?? 0, details: error?.details ?? '' });
    client.makeUnaryRequest(
      ...([
        TaskServiceService[method].path,
        bytes,
        bytes,
        body,
        metadata,
        { deadline: Date.now() + 5000 },
        done,
      ] as const),
    );
  });
}

const verbs = Object.entries(STANDS_FOR);

test('every verb stands for a method with a right that is none of reading', () => {
  for (const [verb, { path }] of verbs)
    expect([verb, RIGHTS[path]]).toEqual([verb, expect.stringMatching(/admin|oper/)]);
});

describe.each(verbs)('%s', (verb, { path }) => {
  test.each(['operator', 'admin'] as const)('as %s', async (role: Role) => {
    const denied = RANK[role] < RANK[RIGHTS[path] as Role];
    for (const [method, state] of [
      ['retryTask', 'failed'],
      ['retryTask', 'cancelled'],
      ['retryTask', 'stuck'],
      ['cancelTask', 'stuck'],
      ['cancelTask', 'queued'],
    ] as const) {
      const id = await left(verb, state);
      const before = await master.store.tasks.get(id);
      const count = (await master.store.tasks.list({ limit: 1000 })).length;
      const { code, details } = await call(method, id, role);
      if (!denied) {
        expect(code, `${method} ${state}: ${details}`).not.toBe(status.PERMISSION_DENIED);
        continue;
      }
      expect(details, `${method} ${state}`).toMatch(
        /^cannot [a-z ]+: it needs the role admin, and that of this token is/,
      );
      expect(code).toBe(status.PERMISSION_DENIED);
      expect(await master.store.tasks.get(id)).toEqual(before);
      expect(await master.store.tasks.list({ limit: 1000 })).toHaveLength(count);
    }
    if (!denied) return;
    const log = await master.store.audit.list(undefined, 500);
    const entries = log.filter((entry) => entry.method === path && entry.actor.startsWith('operator'));
    expect(entries[0]).toMatchObject({ outcome: 'permission_denied' });
  });
});

test("an administrator's lines in a virtual host are no operator's to bring about", async () => {
  for (const [method, state] of [
    ['retryTask', 'failed'],
    ['retryTask', 'stuck'],
    ['cancelTask', 'stuck'],
  ] as const) {
    const plain = await left('site.set', state, { site: ids.site, secretKeys: [] });
    expect((await call(method, plain, 'operator')).code).not.toBe(status.PERMISSION_DENIED);
    const id = await left('site.set', state, { site: ids.site, webSnippet: 'add_header X-A b;', secretKeys: [] });
    expect((await call(method, id, 'operator')).code, `${method} ${state}`).toBe(status.PERMISSION_DENIED);
  }
});

test('a retry stands in the audit log as the call that it is', async () => {
  const id = await left('site.verify', 'failed', { site: ids.site });
  expect((await call('retryTask', id, 'operator')).code).toBe(0);
  const log = await master.store.audit.list(undefined, 10);
  expect(log.map(({ method, outcome }) => [method.split('/')[2], outcome])).toEqual(
    expect.arrayContaining([
      ['VerifySite', 'ok'],
      ['RetryTask', 'ok'],
    ]),
  );
});

test('a task of a verb that this master does not know is for administrators, who are told', async () => {
  expect(await call('cancelTask', await left('site.transmogrify', 'stuck'), 'operator')).toEqual({
    code: status.PERMISSION_DENIED,
    details: expect.stringContaining('cannot go on with a task of "site.transmogrify": it needs the role admin'),
  });
  expect(await call('retryTask', await left('toString', 'failed'), 'admin')).toEqual({
    code: status.UNIMPLEMENTED,
    details: 'cannot retry "toString": this master does not know it; ask again',
  });
});

test('a task says whether it can be tried again: not what came with secrets, unless it is stuck', async () => {
  const says = async (state: TaskState, asked: JsonObject) => {
    const task = await master.store.tasks.get(await left('site.set', state, asked));
    if (task === undefined) throw new Error('the task is not there');
    return taskView(task).retriable;
  };
  const secret = { site: ids.site, secretKeys: ['the key of the certificate'] };
  expect(await says('failed', { site: ids.site, secretKeys: [] })).toBe(true);
  expect(await says('cancelled', { site: ids.site })).toBe(true);
  expect(await says('failed', secret)).toBe(false);
  expect(await says('stuck', secret)).toBe(true);
  expect(await says('succeeded', { site: ids.site })).toBe(false);
  expect((await call('retryTask', await left('site.set', 'failed', secret), 'admin')).details).toMatch(
    /it came with secrets \(the key of the certificate\), which plans do not keep; ask again with them/,
  );
});

test('a request that a plan kept under another verb takes the right of both', async () => {
  const id = await left('site.verify', 'failed', { method: 'service.enable', service: ids.nginx });
  expect((await call('retryTask', id, 'operator')).code).toBe(status.PERMISSION_DENIED);
});
