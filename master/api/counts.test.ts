// A crowd in a request is seen on the wire, before anything is made of it: every repeated field of every method is given
// as many elements as a message holds, by one who may only look, while another asks how the master is.
import { Client, credentials, Metadata, type MethodDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SetSiteRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids } from '../../test/records.ts';
import { crowdedField, MOST_ELEMENTS } from './counts.ts';
import { RIGHTS } from './rights.ts';

let master: MasterApi;
let client: Client;
let viewer: string;

beforeAll(async () => {
  master = await openMasterApi();
  const trust = credentials.createSsl(Buffer.from(master.caPem), null, null, { checkServerIdentity: () => undefined });
  client = new Client(master.address, trust, {
    'grpc.ssl_target_name_override': 'master.aegir.internal',
    'grpc.max_send_message_length': 64 * 1024 * 1024,
  });
  viewer = await master.token({ role: 'viewer' });
});
afterAll(async () => {
  client.close();
  await master.close();
});

interface Field {
  readonly name: string;
  readonly number: number;
  readonly type: string;
  readonly typeName: string;
  readonly label: string;
}
interface Message {
  readonly name: string;
  readonly field: readonly Field[];
}

const repeated = ({ label }: Field) => label === 'LABEL_REPEATED';

function methods(): { readonly path: string; readonly message: Message }[] {
  return Object.entries(master.definitions)
    .flatMap(([, definition]) => ('format' in definition ? [] : Object.values(definition)))
    .filter(({ path }) => RIGHTS[path] !== undefined)
    .map(({ path, requestType }: MethodDefinition<object, object> & { requestType?: unknown }) => ({
      path,
      message: (requestType as { type: Message }).type,
    }));
}

function call(path: string, bytes: Buffer): Promise<{ code: number; details: string }> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${viewer}`);
  const same = (message: Buffer) => message;
  return new Promise((resolve) => {
    const done = (error: ServiceError | null) => resolve({ code: error?.code ?? 0, details: error?.details ?? '' });
    client.makeUnaryRequest(path, same, same, bytes, metadata, { deadline: Date.now() + 20_000 }, done);
  });
}

function varint(n: number): number[] {
  return n < 128 ? [n] : [(n & 127) | 128, ...varint(n >> 7)];
}

/** As many short elements as 4 MiB have room for. */
function crowd({ number }: Field, count = Number.POSITIVE_INFINITY): Buffer {
  const one = Buffer.from([...varint((number << 3) | 2), 2, 0x61, 0x62]);
  return Buffer.alloc(Math.min(Math.floor((4 * 1024 * 1024 - 64) / one.length), count) * one.length, one);
}

test('every repeated field of every method, full: refused by count, and others are answered meanwhile', async () => {
  const all = methods().flatMap(({ path, message }) =>
    message.field.filter(repeated).map((field) => ({ path, field })),
  );
  expect(all.length).toBeGreaterThan(10);
  for (const { path, field } of all) {
    const body = crowd(field);
    const asked = Date.now();
    const crowds = [call(path, body), call(path, body), call(path, body)];
    expect((await call('/aegir.v1.GraphService/GetStatus', Buffer.alloc(0))).code).toBe(status.OK);
    // 500,000 names took the master 3 s each.
    expect(Date.now() - asked, path).toBeLessThan(2500);
    for (const answer of await Promise.all(crowds)) {
      expect(answer, `${path} ${field.name}`).toEqual({
        code: status.INVALID_ARGUMENT,
        details: `cannot read the request: its field ${field.number} has more than ${MOST_ELEMENTS} elements; send fewer at once`,
      });
    }
  }
  expect(master.faults).toEqual([]);
}, 60_000);

test('a list inside a message inside is seen, too', async () => {
  const types = new Map(
    Object.entries(master.definitions).flatMap(([name, definition]) =>
      'format' in definition ? [[name, definition.type as Message] as const] : [],
    ),
  );
  const inner = methods().flatMap(({ path, message }) =>
    message.field.flatMap((outer) =>
      (types.get(`aegir.v1.${outer.typeName}`)?.field ?? []).map((field) => ({ path, outer, field })),
    ),
  );
  expect(inner.some(({ outer }) => outer.typeName === 'ChangeOptions')).toBe(true);
  const lists = inner.filter(({ field }) => repeated(field));
  expect(lists.length).toBeGreaterThan(0);
  for (const { path, outer, field } of lists) {
    const list = crowd(field, 100_000);
    const body = Buffer.concat([Buffer.from([...varint((outer.number << 3) | 2), ...varint(list.length)]), list]);
    expect((await call(path, body)).details, path).toMatch(
      /^cannot read the request: its field \w+ has more than 500 /,
    );
  }
});

describe('what may be said', () => {
  const plan = { planOnly: true, idempotencyKey: '' };
  const aliases = (count: number) =>
    Buffer.from(
      SetSiteRequest.encode(
        SetSiteRequest.fromPartial({
          ...{ site: ids.site, options: plan },
          addAliases: Array.from({ length: count }, (_, i) => `a${i}.example`),
        }),
      ).finish(),
    );
  const setSite = '/aegir.v1.SiteService/SetSite';

  test('passes', async () => expect((await call(setSite, aliases(99))).details).toBe(''));

  test('is bounded again by what it means', async () => {
    expect((await call(setSite, aliases(101))).details).toBe('cannot change so many aliases at once: 100 are the most');
  });

  test('ends at its bound', async () => {
    expect((await call(setSite, aliases(MOST_ELEMENTS))).details).toMatch(/^cannot change so many aliases/);
    expect((await call(setSite, aliases(MOST_ELEMENTS + 1))).details).toMatch(/^cannot read the request: its field 2/);
  });
});

describe('on the wire', () => {
  const one = { name: '', number: 2, type: '', typeName: '', label: '' };
  test.each([
    ['nothing', Buffer.alloc(0), undefined],
    ['as many as may be', crowd(one, MOST_ELEMENTS), undefined],
    ['one more', crowd(one, MOST_ELEMENTS + 1), 2],
    ['empty ones', Buffer.alloc(2 * (MOST_ELEMENTS + 1), Buffer.from([0x0a, 0])), 1],
    ['numbers', Buffer.alloc(3 * (MOST_ELEMENTS + 1), Buffer.from([0x18, 0x80, 1])), 3],
    [
      '64 and 32 bits',
      Buffer.alloc(14 * (MOST_ELEMENTS + 1), Buffer.from([0x21, ...Array(8).fill(1), 0x2d, 1, 1, 1, 1])),
      4,
    ],
    ['many behind another field', Buffer.concat([Buffer.from([0x0a, 1, 0x61]), crowd(one, MOST_ELEMENTS + 1)]), 2],
    [
      'fields without end',
      Buffer.concat(Array.from({ length: 600 }, (_, i) => Buffer.from([...varint((i + 1) << 3), 0]))),
      501,
    ],
    ['half a number', Buffer.from([0xff, 0xff]), undefined],
    ['a group', Buffer.from([0x0b]), undefined],
    ['a string that ends too early', Buffer.from([0x0a, 0x7f, 0x61]), undefined],
  ])('%s', (_, bytes, field) => expect(crowdedField(bytes)).toBe(field));
});
