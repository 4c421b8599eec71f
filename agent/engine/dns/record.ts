// DNS records in one spelling, so that what is wanted and what the world answers compare; and in words. Pure.
import { isIP, SocketAddress } from 'node:net';
import { AegirError } from '../../../shared/error.ts';
import type { DnsRecord } from '../../../shared/gen/aegir/v1/spec.ts';
import { displayName } from '../../../shared/name.ts';

const NAME =
  /^(?=.{1,253}$)(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Refuses what a person or a resolver could misread. */
export function checkRecord({ name, data }: DnsRecord): void {
  if (!NAME.test(name)) refuse(name, 'it is no name in lower case ASCII form without a trailing dot');
  if (data === '' || /[\p{Cc}\u2028\u2029]/u.test(data)) refuse(name, 'its data is empty or has control characters');
}

function refuse(name: string, why: string): never {
  throw new AegirError('invalid_argument', `cannot use a record of ${JSON.stringify(name.slice(0, 300))}: ${why}`);
}

/** "www.example.org. 3600 IN A 192.0.2.1", as a zone file has it; with the name as people read it when that differs. */
export function inWords({ name, ttl, type, data }: DnsRecord): string {
  const human = displayName(name);
  return `${name}. ${ttl} IN ${type} ${data}${human === name ? '' : ` (${human})`}`;
}

/**
 * One spelling for data in presentation format: IPv6 addresses have many, names end with a dot or not and ignore case,
 * texts stand in quotes or not (RFC 1035 section 5.1) and do not ignore case. What is malformed stays as it is.
 */
export function canonical(type: string, data: string): string {
  const fields = data.trim().split(/\s+/);
  switch (type) {
    case 'AAAA':
      return isIP(data) === 6 && !data.includes('%')
        ? new SocketAddress({ address: data, family: 'ipv6' }).address
        : data.toLowerCase();
    case 'CNAME':
    case 'NS':
      return plainName(data.trim());
    case 'MX':
    case 'SRV':
      return [...fields.slice(0, -1).map(plainNumber), plainName(fields.at(-1) ?? '')].join(' ').trim();
    case 'CAA': {
      const [flags = '', tag = ''] = fields;
      const value = /^\s*\S+\s+\S+\s+(.*)$/.exec(data)?.[1] ?? '';
      return `${plainNumber(flags)} ${tag.toLowerCase()} ${plainText(value)}`;
    }
    case 'TXT':
      return plainText(data);
    default:
      return data.trim();
  }
}

export function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

function plainNumber(text: string): string {
  return /^[0-9]+$/.test(text) ? String(Number(text)) : text;
}

/** Character strings in presentation format, joined as resolvers join them. Text without quotes is taken as it is. */
function plainText(data: string): string {
  const trimmed = data.trim();
  if (!/^"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*$/.test(trimmed)) return trimmed;
  const pieces = trimmed.match(/"(?:[^"\\]|\\.)*"/g) ?? [];
  return pieces
    .map((piece) =>
      piece
        .slice(1, -1)
        .replace(/\\(\d{3}|.)/g, (_, one: string) => (one.length === 3 ? String.fromCharCode(Number(one)) : one)),
    )
    .join('');
}
