// DNS messages as bytes (RFC 1035 section 4.1), as much of them as the name server of the dns suite needs. Pure.
import { isIPv4, SocketAddress } from 'node:net';

export const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  CAA: 257,
};
export const RCODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
export type Rcode = keyof typeof RCODES;

export interface Question {
  readonly id: number;
  /** In lower case, without a trailing dot. */
  readonly name: string;
  readonly type: string;
  /** Header flags of the question; the answer repeats "recursion desired". */
  readonly flags: number;
  /** The question section as it came: the answer repeats it byte by byte, letters' case and all. */
  readonly bytes: Buffer;
}

/** Data in presentation format without escapes: TXT is the bare text, CAA and the others are fields between spaces. */
export interface WireRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly data: string;
}

/** undefined when that is no question with one name that we can read. */
export function readQuestion(message: Buffer): Question | undefined {
  if (message.length < 17 || message.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at]; length !== 0; length = message[at]) {
    if (length === undefined || length > 63 || at + length + 5 > message.length) return undefined;
    labels.push(message.toString('latin1', at + 1, at + 1 + length).toLowerCase());
    at += length + 1;
  }
  const number = message.readUInt16BE(at + 1);
  const type = Object.entries(TYPES).find(([, value]) => value === number)?.[0] ?? `TYPE${number}`;
  const bytes = message.subarray(12, at + 5);
  return { id: message.readUInt16BE(0), name: labels.join('.'), type, flags: message.readUInt16BE(2), bytes };
}

export function writeAnswer(question: Question, rcode: Rcode, answers: readonly WireRecord[]): Buffer {
  const QR_AND_RA = 0x8080;
  const header = shorts(question.id, QR_AND_RA | (question.flags & 0x0100) | RCODES[rcode], 1, answers.length, 0, 0);
  return Buffer.concat([header, question.bytes, ...answers.map(writeRecord)]);
}

function writeRecord({ name, type, ttl, data }: WireRecord): Buffer {
  const bytes = writeData(type, data);
  const seconds = Buffer.alloc(4);
  seconds.writeUInt32BE(ttl);
  return Buffer.concat([writeName(name), shorts(TYPES[type] ?? 0, 1), seconds, shorts(bytes.length), bytes]);
}

function writeData(type: string, data: string): Buffer {
  const fields = data.split(' ');
  const numbers = (count: number): number[] => fields.slice(0, count).map(Number);
  switch (type) {
    case 'A':
      return Buffer.from(data.split('.').map(Number));
    case 'AAAA':
      return writeIPv6(data);
    case 'CNAME':
    case 'NS':
      return writeName(data);
    case 'MX':
      return Buffer.concat([shorts(...numbers(1)), writeName(fields[1] ?? '')]);
    case 'SRV':
      return Buffer.concat([shorts(...numbers(3)), writeName(fields[3] ?? '')]);
    case 'CAA':
      return Buffer.concat([
        Buffer.from(numbers(1)),
        writeText(fields[1] ?? ''),
        Buffer.from(fields.slice(2).join(' ')),
      ]);
    case 'TXT': {
      const pieces = Buffer.from(data)
        .toString('latin1')
        .match(/.{1,255}/gs) ?? [''];
      return Buffer.concat(pieces.map((piece) => writeText(piece)));
    }
    default:
      throw new Error(`the name server under test knows no ${type}`);
  }
}

function writeIPv6(text: string): Buffer {
  // Canonical, so that only "::" and a trailing IPv4 part are left to expand.
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  const last = address.slice(address.lastIndexOf(':') + 1);
  const mapped = isIPv4(last) ? last.split('.').map(Number) : undefined;
  const hex = mapped === undefined ? address : `${address.slice(0, -last.length)}${pair(mapped, 0)}:${pair(mapped, 2)}`;
  const [head = '', tail] = hex.split('::');
  const words = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const after = words(tail ?? '');
  const before = words(head);
  const zeros = tail === undefined ? [] : Array<string>(8 - before.length - after.length).fill('0');
  return shorts(...[...before, ...zeros, ...after].map((word) => Number.parseInt(word, 16)));
}

function pair(bytes: readonly number[], at: number): string {
  return (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16);
}

function writeName(name: string): Buffer {
  const labels = name.replace(/\.$/, '').split('.');
  return Buffer.concat([...labels.map((label) => writeText(label)), Buffer.from([0])]);
}

function writeText(latin1: string): Buffer {
  const bytes = Buffer.from(latin1, 'latin1');
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function shorts(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2);
  return bytes;
}
