// A name server on the loopback for tests of dns engines: it holds records that a test sets as a person would at a
// provider, follows CNAMEs as a resolver does, and misbehaves when told to.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type Question, type Rcode, readQuestion, type WireRecord, writeAnswer } from './dns-wire.ts';

/** silent: no answer at all; garbage: bytes that are no DNS message. */
export type Misbehaviour = 'silent' | 'garbage' | 'SERVFAIL' | 'REFUSED';

export interface DnsServer {
  /** As Resolver.setServers takes it. */
  readonly address: string;
  /** Name and type of every question so far. */
  readonly asked: string[];
  /** Adds a record, or sets the TTL of the one that is there. */
  add(name: string, type: string, data: string, ttl?: number): void;
  /** Removes these records: of a name, of a type, of this data. */
  remove(name: string, type?: string, data?: string): void;
  /** Whatever is asked about the name, or about any, is answered like this; undefined ends it. */
  misbehave(how: Misbehaviour | undefined, name?: string): void;
  records(): readonly WireRecord[];
  clear(): void;
  close(): Promise<void>;
}

const MAX_CHAIN = 12;
const ANY = '*any*';

export async function startDnsServer(loopback = '127.0.53.1'): Promise<DnsServer> {
  const socket = createSocket(loopback.includes(':') ? 'udp6' : 'udp4');
  socket.bind(0, loopback);
  await once(socket, 'listening');
  let zone: WireRecord[] = [];
  const misbehaviours = new Map<string, Misbehaviour>();
  const asked: string[] = [];

  socket.on('message', (message, from) => {
    const question = readQuestion(message);
    if (question === undefined) return;
    asked.push(`${question.name} ${question.type}`);
    const how = misbehaviours.get(question.name) ?? misbehaviours.get(ANY);
    if (how === 'silent') return;
    if (how === 'garbage') send(socket, Buffer.from('no DNS message, whatever it may be'), from);
    else if (how !== undefined) send(socket, writeAnswer(question, how, []), from);
    else send(socket, answer(question, zone), from);
  });

  const without = (name: string, type?: string, data?: string): WireRecord[] =>
    zone.filter(
      (each) =>
        each.name !== name || (type !== undefined && each.type !== type) || (data !== undefined && each.data !== data),
    );

  return {
    address: loopback.includes(':') ? `[${loopback}]:${socket.address().port}` : `${loopback}:${socket.address().port}`,
    asked,
    add(name, type, data, ttl = 60) {
      zone = [...without(name, type, data), { name, type, ttl, data }];
    },
    remove(name, type, data) {
      zone = without(name, type, data);
    },
    misbehave(how, name = ANY) {
      if (how === undefined) misbehaviours.delete(name);
      else misbehaviours.set(name, how);
    },
    records: () => [...zone],
    clear() {
      zone = [];
      misbehaviours.clear();
      asked.length = 0;
    },
    async close() {
      socket.close();
      await once(socket, 'close');
    },
  };
}

function send(socket: Socket, bytes: Buffer, to: RemoteInfo): void {
  socket.send(bytes, to.port, to.address);
}

/** What a resolver answers (RFC 1034 section 4.3.2): the chain of CNAMEs and what stands at its end. */
function answer(question: Question, zone: readonly WireRecord[]): Buffer {
  const answers: WireRecord[] = [];
  let name = question.name;
  for (let links = 0; links < MAX_CHAIN; links++) {
    const here = at(name, zone);
    if (here === undefined) return writeAnswer(question, 'NXDOMAIN', answers);
    const cname = here.find(({ type }) => type === 'CNAME');
    if (cname === undefined || question.type === 'CNAME') {
      answers.push(...here.filter(({ type }) => type === question.type));
      return writeAnswer(question, 'NOERROR', answers);
    }
    answers.push(cname);
    name = cname.data;
  }
  // A loop.
  const rcode: Rcode = 'SERVFAIL';
  return writeAnswer(question, rcode, []);
}

/** Records at a name, perhaps by a wildcard (RFC 4592); empty for a name that only has names below it. */
function at(name: string, zone: readonly WireRecord[]): readonly WireRecord[] | undefined {
  const here = zone.filter((each) => each.name === name);
  if (here.length > 0) return here;
  if (zone.some((each) => each.name.endsWith(`.${name}`))) return [];
  const wild = zone.filter((each) => each.name === `*.${name.slice(name.indexOf('.') + 1)}`);
  return wild.length > 0 ? wild.map((each) => ({ ...each, name })) : undefined;
}
