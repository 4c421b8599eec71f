// What a service may answer: a large zone, and no more than the agent has room for.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createJsonClient } from './http-json.ts';

let server: Server;
let body: Iterable<string> = [];
beforeEach(async () => {
  server = createServer((_request, response) => {
    const pieces = body[Symbol.iterator]();
    const next = () => {
      for (;;) {
        const { done, value } = pieces.next();
        if (done === true) return void response.end();
        if (!response.write(value)) return void response.once('drain', next);
      }
    };
    next();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function answer(pieces: Iterable<string>): Promise<unknown> {
  body = pieces;
  const { port } = server.address() as AddressInfo;
  const ask = createJsonClient({ url: `http://127.0.0.1:${port}`, what: 'PowerDNS', headers: {} });
  const asked = await ask({ path: '/', doing: 'read zone example.org', signal: new AbortController().signal });
  return asked.json();
}
function* listOf(count: number, item: (at: number) => string): Generator<string> {
  yield '[';
  for (let at = 0; at < count; at++) yield at === 0 ? item(at) : `,${item(at)}`;
  yield ']';
}

it('takes a zone of 50 000 sets of records, as PowerDNS writes them', async () => {
  const set = (at: number) =>
    `{"comments": [], "name": "host-${at}.example.org.", "records": [{"content": "192.0.2.${at % 256}", "disabled": false}], "ttl": 3600, "type": "A"}`;
  expect(await answer(listOf(50_000, set))).toHaveLength(50_000);
});

it('does not take marks of a text for values', async () => {
  const text = `a \\" [{, \\\\`;
  expect(await answer(listOf(2, () => JSON.stringify(text.repeat(300_000))))).toHaveLength(2);
});

it.each([
  ['17 MiB of text', () => ['"', ...Array<string>(17).fill('x'.repeat(1024 * 1024)), '"'], /over 16 MiB/],
  ['4 100 000 small endpoints', () => listOf(4_100_000, () => '{"dnsName":"a"}'), /over 1000000 values/],
  ['lists in lists', () => Array<string>(2_000).fill('['.repeat(1_000)), /over 1000000 values/],
  ['numbers', () => listOf(1_100_000, () => '1'), /over 1000000 values/],
])('%s are too much, and said to be', async (_what, pieces, over) => {
  const asked = answer(pieces());
  await expect(asked).rejects.toMatchObject({ code: 'resource_exhausted', message: expect.stringMatching(over) });
  await expect(asked).rejects.toThrow(/^cannot read zone example\.org: what PowerDNS at http:\S+ answers is/);
});
