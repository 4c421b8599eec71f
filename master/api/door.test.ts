// The door of the Admin API over a raw HTTP/2 connection: whoever has no token is sent away by the headers, with nothing
// read of what follows; whoever has one must say what it wants.
import { type ClientHttp2Session, connect } from 'node:http2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';

let master: MasterApi;
let link: ClientHttp2Session;
let token: string;

beforeAll(async () => {
  master = await openMasterApi();
  token = await master.token();
  link = connect(`https://${master.address}`, { ca: master.caPem, checkServerIdentity: () => undefined });
  link.on('error', () => undefined); // closed at the end with calls that nobody waits for
});
afterAll(async () => {
  link.close();
  await master.close();
});

const PATH = '/aegir.v1.SiteService/InstallSite';

/** The head of a message of 3 MB, and nothing of it. */
function halfSent(headers: Record<string, string>, path = PATH) {
  const stream = link.request({
    ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
    ...headers,
  });
  stream.write(Buffer.from([0, 0, 0x2d, 0xc6, 0xc0]));
  const { promise, resolve } = Promise.withResolvers<string>();
  stream.on('response', (answer) => {
    if (answer['grpc-status'] !== undefined) resolve(String(answer['grpc-status']));
  });
  stream.on('trailers', (trailers) => resolve(String(trailers['grpc-status'])));
  stream.on('error', (cause) => resolve(cause.message));
  stream.resume();
  return { stream, ended: promise };
}

test.each([
  ['no token', {}],
  ['a wrong one', { authorization: 'Bearer nonsense' }],
  ['one without its word', { authorization: 'nonsense' }],
])('%s: sent away before the message is there', async (_what, headers) => {
  const { stream, ended } = halfSent(headers);
  expect(await ended).toBe('16');
  stream.destroy();
});

test('strangers may ask for health, a few at a time', async () => {
  const path = '/grpc.health.v1.Health/Check';
  const open = Array.from({ length: 20 }, () => halfSent({}, path));
  const { ended } = halfSent({}, path);
  expect(await ended).toBe('8');
  for (const { stream } of open) stream.close();
  await Promise.all(open.map(({ stream }) => new Promise((resolve) => stream.on('close', resolve))));
});

test('who has a token is read', async () => {
  const { stream, ended } = halfSent({ authorization: `Bearer ${token}` });
  const first = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 300, 'waits'))]);
  expect(first).toBe('waits');
  stream.destroy();
});
