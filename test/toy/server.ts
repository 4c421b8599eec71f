// The toy's name server, a program: answers questions over UDP from zones in memory, and changes them over HTTP, all edits or
// none. Arguments: the address to listen at, the zone that it carries, the file in which to say where it is.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readQuestion, writeAnswer } from '../../agent/engine/conformance/dns-wire.ts';
import { contentsOf, type Edit, type RecordRead, sameData } from '../../agent/engine/dns/rrset.ts';

const [address = '', zone = '', announceIn = ''] = process.argv.slice(2);
let records: RecordRead[] = [];
/** Of a test: from its making on nobody is answered. */
const silent = () => existsSync(`${announceIn}.silent`);

const udp = createSocket('udp4');
udp.bind(0, address);
await once(udp, 'listening');
udp.on('message', (message, from) => {
  const question = readQuestion(message);
  if (question === undefined || silent()) return;
  const exactly = records.filter(({ name }) => name === question.name);
  const wildcard = `*.${question.name.slice(question.name.indexOf('.') + 1)}`;
  const named =
    exactly.length > 0
      ? exactly
      : records.filter(({ name }) => name === wildcard).map((each) => ({ ...each, name: question.name }));
  const answers = named
    .filter(({ type }) => type === question.type)
    .map(({ name, type, ttl = 60, data }) => ({ name, type, ttl, data: data.replace(/\.$/, '') }));
  const above = records.some(({ name }) => name.endsWith(`.${question.name}`));
  udp.send(writeAnswer(question, named.length > 0 || above ? 'NOERROR' : 'NXDOMAIN', answers), from.port, from.address);
});

const http = createServer((request, response) => {
  const [, first, name] = (request.url ?? '').split('/');
  if (silent()) return;
  if (first !== 'zones' || (name !== undefined && name !== zone)) response.writeHead(404).end();
  else if (name === undefined) response.end(JSON.stringify([zone]));
  else if (request.method === 'GET') response.end(JSON.stringify(records));
  else {
    textOf(request).then(
      (text) => response.writeHead(change(JSON.parse(text) as Edit[]) ? 204 : 409).end(),
      () => response.writeHead(400).end(),
    );
  }
});
http.listen(0, address);
await once(http, 'listening');
const said = { url: `http://${address}:${(http.address() as AddressInfo).port}`, port: udp.address().port };
writeFileSync(`${announceIn}.new`, JSON.stringify(said));
renameSync(`${announceIn}.new`, announceIn);

function change(edits: readonly Edit[]): boolean {
  const contents = contentsOf(records);
  if (!edits.every(({ name, type, before }) => sameData(contents.get(name, type), before))) return false;
  for (const { name, type, after } of edits) {
    records = records.filter((each) => each.name !== name || each.type !== type);
    for (const data of after?.data ?? []) records.push({ name, type, ttl: after?.ttl, data });
  }
  return true;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
