// Record data in the one presentation format that name servers take and that two of the same data share: checked field by
// field, names with a dot at the end, texts in quotes. Pure.
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { AegirError } from '../../../shared/error.ts';

const HOST =
  /^(?=.{1,253}$)(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const QUOTED = /"((?:[^"\\]|\\.)*)"/g;
/** Bytes of one character string (RFC 1035 section 3.3). */
const MAX_STRING = 255;
const MAX_NUMBER = 65_535;

/** Throws invalid_argument for what is no data of the type. */
export function presentation(type: string, data: string): string {
  const shown = tryPresentation(type, data);
  if (shown !== undefined) return shown;
  const what = JSON.stringify(data.slice(0, 300));
  throw new AegirError('invalid_argument', `cannot use ${what} as data of a record of type ${type}: it is none`);
}

/** For data that is somebody else's: what cannot be read stays as it is. */
export function presentationOrSame(type: string, data: string): string {
  return tryPresentation(type, data) ?? data.trim();
}

function tryPresentation(type: string, data: string): string | undefined {
  const text = data.trim();
  const fields = text.split(/\s+/);
  switch (type) {
    case 'A':
      return isIPv4(text) ? text : undefined;
    case 'AAAA':
      return isIPv6(text) && !text.includes('%')
        ? new SocketAddress({ address: text, family: 'ipv6' }).address
        : undefined;
    case 'CNAME':
    case 'NS':
      return hostOf(text);
    case 'MX':
      return joined([...numbersOf(fields.slice(0, 1)), hostOf(fields[1])], fields.length === 2);
    case 'SRV':
      return joined([...numbersOf(fields.slice(0, 3)), hostOf(fields[3])], fields.length === 4);
    case 'TXT':
      return textOf(text);
    case 'CAA':
      return caaOf(text);
    default:
      return undefined;
  }
}

function joined(fields: readonly (string | undefined)[], complete: boolean): string | undefined {
  return complete && fields.every((field) => field !== undefined) ? fields.join(' ') : undefined;
}

function numbersOf(fields: readonly string[]): readonly (string | undefined)[] {
  return fields.map((field) =>
    /^[0-9]{1,9}$/.test(field) && Number(field) <= MAX_NUMBER ? String(Number(field)) : undefined,
  );
}

/** "." alone is a target too: "no such service" (RFC 2782), "no mail" (RFC 7505). */
function hostOf(text: string | undefined): string | undefined {
  if (text === '.') return text;
  const name = (text ?? '').toLowerCase().replace(/\.$/, '');
  return HOST.test(name) ? `${name}.` : undefined;
}

/** Text of any length: as many strings as it takes. How it was cut before says nothing to readers. */
function textOf(text: string): string | undefined {
  const bytes = bytesOf(text);
  if (bytes === undefined) return undefined;
  const strings: string[] = [];
  for (let at = 0; at < bytes.length; at += MAX_STRING) strings.push(quoted(bytes.subarray(at, at + MAX_STRING)));
  return strings.length === 0 ? '""' : strings.join(' ');
}

function caaOf(text: string): string | undefined {
  const [, flags = '', tag = '', value = ''] = /^(\S+)\s+([A-Za-z0-9]{1,255})\s+(.+)$/s.exec(text) ?? [];
  const bytes = value === '' ? undefined : bytesOf(value);
  if (bytes === undefined || !/^[0-9]{1,3}$/.test(flags) || Number(flags) > 255) return undefined;
  return `${Number(flags)} ${tag.toLowerCase()} ${quoted(bytes)}`;
}

/** Of character strings in quotes, one after the other; text without quotes is taken as it is. */
function bytesOf(text: string): Buffer | undefined {
  if (!text.startsWith('"')) return Buffer.from(text);
  if (!/^"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*$/s.test(text)) return undefined;
  return Buffer.concat([...text.matchAll(QUOTED)].map(([, inner = '']) => unescaped(inner)));
}

function unescaped(inner: string): Buffer {
  const pieces = inner.match(/\\[0-9]{3}|\\.|[^\\]+/gs) ?? [];
  return Buffer.concat(
    pieces.map((piece) => {
      if (!piece.startsWith('\\')) return Buffer.from(piece);
      return /^\\[0-9]{3}$/.test(piece) ? Buffer.from([Number(piece.slice(1))]) : Buffer.from(piece.slice(1));
    }),
  );
}

/** The inverse of what a text record shows: what it says, byte by byte, for those who read it as Latin-1. */
export function plainText(shown: string): string {
  return bytesOf(shown)?.toString('latin1') ?? shown;
}

function quoted(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) {
    if (byte === 0x22 || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else if (byte < 0x20 || byte > 0x7e) text += `\\${String(byte).padStart(3, '0')}`;
    else text += String.fromCharCode(byte);
  }
  return `"${text}"`;
}
