// What comes over the wire is bounded and may be anything: every method is given every kind of bad value, and answers
// with an error that says what is wrong, never with a surprise.
import { Client, credentials, Metadata, type MethodDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids } from '../../test/records.ts';

let master: MasterApi;
let client: Client;
let token: string;

beforeAll(async () => {
  master = await openMasterApi();
  const trust = credentials.createSsl(Buffer.from(master.caPem), null, null, { checkServerIdentity: () => undefined });
  client = new Client(master.address, trust, {
    'grpc.ssl_target_name_override': 'master.aegir.internal',
    'grpc.max_send_message_length': 64 * 1024 * 1024,
  });
  token = await master.token();
  await master.store.zones.insert({
    ...{ id: 'zone-0123456789abcde1', name: 'example.net', serviceId: ids.dns, state: 'active', nameservers: [] },
    ...{ contact: '', ttl: 60, lowTtl: 60, ttlPolicy: 'normal', leadSeconds: 0, negativeTtl: 60, dnssec: false },
    createdAt: 1,
  });
});
afterAll(async () => {
  client.close();
  await master.close();
});

type AnyMethod = MethodDefinition<object, object> & { readonly requestType: { readonly type: unknown } };
interface Field {
  readonly name: string;
  readonly type: string;
  readonly label: string;
}

function methods(): AnyMethod[] {
  return Object.entries(master.definitions).flatMap(([service, definition]) =>
    'format' in definition || /\.(Enrol|Agent)Service$/.test(service) ? [] : (Object.values(definition) as AnyMethod[]),
  );
}

/** From a descriptor set proto-loader takes the names of fields as they stand in the protos. */
function fieldsOf(method: AnyMethod): Field[] {
  return (method.requestType.type as { field: Field[] }).field;
}

function call(path: string, bytes: Buffer, streams = false): Promise<{ code: number; details: string }> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  const same = (message: Buffer) => message;
  const options = { deadline: Date.now() + 5000 };
  return new Promise((resolve) => {
    const done = (error: ServiceError | null) => resolve({ code: error?.code ?? 0, details: error?.details ?? '' });
    if (!streams) {
      client.makeUnaryRequest(path, same, same, bytes, metadata, options, done);
      return;
    }
    const stream = client.makeServerStreamRequest(path, same, same, bytes, metadata, options);
    stream.on('error', done);
    stream.on('end', () => done(null));
    stream.resume();
  });
}

const HOSTILE: readonly (readonly [string, string, number])[] = [
  ['nothing', '', 0],
  ['a path', '../../etc/passwd', 1],
  ['a NUL', 'a\0b', 2],
  ['control characters', '\u001b[2J\r\n', 3],
  ['a direction override', 'gro.elpmaxe\u202e', 4],
  ['a long text', 'x'.repeat(100_000), 4_294_967_295],
  ['a prototype', '__proto__', 5],
  ['an id of nothing', 'site-0000000000000000', 6],
  ['a half character', Buffer.from([0xf0, 0x9f]).toString('latin1'), 7],
  ['a quote', `'; DROP TABLE sites; --`, 1001],
];

function hostile(method: AnyMethod, text: string, number: number): object {
  const value = ({ type, label }: Field): unknown => {
    const one =
      type === 'TYPE_STRING'
        ? text
        : type === 'TYPE_BOOL'
          ? true
          : type === 'TYPE_MESSAGE'
            ? { idempotency_key: text, plan_only: false }
            : number;
    return label === 'LABEL_REPEATED' ? [one, one] : one;
  };
  return Object.fromEntries(fieldsOf(method).map((field) => [field.name, value(field)]));
}

test.each(HOSTILE)('%s in every field of every method', async (_, text, number) => {
  master.faults.length = 0;
  for (const method of methods()) {
    const bytes = method.requestSerialize(hostile(method, text, number));
    const { code, details } = await call(method.path, bytes, method.responseStream);
    expect([status.INTERNAL, status.UNKNOWN, status.DEADLINE_EXCEEDED], `${method.path}: ${details}`).not.toContain(
      code,
    );
    if (code === 0) continue;
    expect(details, method.path).toMatch(/^cannot [^:]+.*: ./s);
    // An error goes to a terminal and to logs: it is of bounded length.
    expect(details.length, method.path).toBeLessThan(4096);
  }
  expect(master.faults).toEqual([]);
});

test('pages are bounded, and tokens of pages are what a list gave', async () => {
  const lists = methods().filter((method) => fieldsOf(method).some((field) => field.name === 'page_size'));
  expect(lists.length).toBeGreaterThan(6);
  for (const method of lists) {
    const inZone = fieldsOf(method).some((field) => field.name === 'zone') ? { zone: 'example.net' } : {};
    const ask = (request: object) => call(method.path, method.requestSerialize({ ...inZone, ...request }));
    expect(await ask({ page_size: 1000 }), method.path).toEqual({ code: 0, details: '' });
    for (const pageSize of [1001, 4_294_967_295]) {
      expect(await ask({ page_size: pageSize }), method.path).toEqual({
        code: status.INVALID_ARGUMENT,
        details: `cannot list ${pageSize} at once: page_size may be 1 to 1000`,
      });
    }
    for (const pageToken of ['!', '\0', 'x'.repeat(3000)])
      expect((await ask({ page_token: pageToken })).code, `${method.path} ${pageToken}`).toBe(status.INVALID_ARGUMENT);
  }
});

test('fields of a newer client are left alone', async () => {
  // Field 5000, length-delimited, three bytes.
  const unknown = Buffer.from([0xc2, 0xb8, 0x02, 0x03, 0x61, 0x62, 0x63]);
  for (const method of methods()) {
    const bytes = method.requestSerialize(hostile(method, 'site-0000000000000000', 1));
    const plain = await call(method.path, bytes, method.responseStream);
    const more = await call(method.path, Buffer.concat([bytes, unknown]), method.responseStream);
    expect(more.code, method.path).toBe(plain.code);
  }
});

test('what is no message is refused, and what is too long too; the master goes on', async () => {
  for (const method of methods()) {
    // A string of 127 bytes of which one came.
    const { code } = await call(method.path, Buffer.from([0x0a, 0x7f, 0x61]), method.responseStream);
    expect([status.INTERNAL, status.INVALID_ARGUMENT], method.path).toContain(code);
  }
  const long = await call('/aegir.v1.SiteService/GetSite', Buffer.alloc(4 * 1024 * 1024 + 1));
  expect(long.code).toBe(status.RESOURCE_EXHAUSTED);
  expect((await call('/aegir.v1.GraphService/GetStatus', Buffer.alloc(0))).code).toBe(status.OK);
  expect(master.faults).toEqual([]);
});
