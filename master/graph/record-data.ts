// The data of DNS records as people write it, checked and in one spelling. Pure. Formats: RFC 1035 (A, CNAME, MX, NS, TXT),
// RFC 3596 (AAAA), RFC 2782 (SRV), RFC 8659 (CAA), all in presentation format.
import { AegirError } from '../../shared/error.ts';
import { hostName } from '../../shared/name.ts';

export const RECORD_TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'TXT', 'CAA', 'NS', 'SRV'] as const;
export type RecordType = (typeof RECORD_TYPES)[number];

/** Without leading zeros, which some read as octal. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;
const MAX_TEXT = 2048;
const MAX_NUMBER = 65_535;

export function recordType(text: string): RecordType {
  const type = RECORD_TYPES.find((each) => each === text.toUpperCase());
  if (type !== undefined) return type;
  throw refused(text, `there are ${RECORD_TYPES.join(', ')}`, 'record type');
}

/**
 * Owner name of a record: a host name, perhaps with a wildcard for its first label (RFC 4592) and with labels that
 * begin with "_" (RFC 8552).
 */
export function recordName(text: string, zone: string): string {
  const whole = text === '@' ? zone : text.endsWith('.') ? text.slice(0, -1) : text;
  const wild = whole.startsWith('*.');
  const labels = (wild ? whole.slice(2) : whole).split('.');
  // hostName knows no underscores: those labels are checked here, and stand for a plain one there.
  const scoped = labels.filter((label) => /^_[a-z0-9-]{1,62}$/i.test(label));
  const plain = hostName(
    labels.map((label) => (scoped.includes(label) ? `x${label.slice(1)}` : label)).join('.'),
    'record name',
  ).split('.');
  const ascii = plain.map((label, at) =>
    scoped.includes(labels[at] ?? '') ? (labels[at] ?? '').toLowerCase() : label,
  );
  return `${wild ? '*.' : ''}${ascii.join('.')}`;
}

/** One spelling of the data. Throws invalid_argument and says what is needed. */
export function recordData(type: RecordType, text: string): string {
  const data = text.trim();
  const fields = data.split(/\s+/);
  if (data === '' || /[\p{Cc}\u2028\u2029]/u.test(data))
    throw refused(text, 'text of one line is needed', `${type} data`);
  switch (type) {
    case 'A':
      if (!IPV4.test(data)) throw refused(text, 'an IPv4 address is needed', 'A data');
      return data;
    case 'AAAA':
      if (!/^[0-9a-f:.]{2,45}$/i.test(data) || !URL.canParse(`http://[${data}]`)) {
        throw refused(text, 'an IPv6 address is needed', 'AAAA data');
      }
      return new URL(`http://[${data}]`).hostname.slice(1, -1);
    case 'CNAME':
    case 'NS':
      return hostName(data, `${type} data`);
    case 'MX': {
      const [preference = '', host = ''] = fields;
      // "0 ." says that no mail is taken (RFC 7505).
      if (fields.length !== 2)
        throw refused(text, 'a preference and a host name are needed: 10 mail.example.org', 'MX data');
      return `${number(preference, 'MX preference')} ${host === '.' ? '.' : hostName(host, 'MX host')}`;
    }
    case 'SRV': {
      const [priority = '', weight = '', port = '', target = ''] = fields;
      const needed = 'priority, weight, port and host name are needed: 10 5 443 www.example.org';
      if (fields.length !== 4) throw refused(text, needed, 'SRV data');
      const numbers = [number(priority, 'priority'), number(weight, 'weight'), number(port, 'port')];
      return `${numbers.join(' ')} ${target === '.' ? '.' : hostName(target, 'SRV target')}`;
    }
    case 'CAA': {
      const [, flags = '', tag = '', value = ''] = /^(\d{1,3})\s+([a-z0-9]{1,15})\s+(.+)$/i.exec(data) ?? [];
      const needed = 'flags, a tag and a value are needed: 0 issue "letsencrypt.org"';
      if (tag === '' || Number(flags) > 255) throw refused(text, needed, 'CAA data');
      return `${Number(flags)} ${tag.toLowerCase()} ${quoted(unquoted(value))}`;
    }
    case 'TXT': {
      const plain = unquoted(data);
      if (plain.length > MAX_TEXT) throw refused(text.slice(0, 40), `${MAX_TEXT} characters are the most`, 'TXT data');
      if (/[^\x20-\x7e]/.test(plain)) throw refused(text, 'printable ASCII is needed', 'TXT data');
      return quoted(plain);
    }
  }
}

function number(text: string, what: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= MAX_NUMBER) return Number(text);
  throw refused(text, `a number of 0 to ${MAX_NUMBER} is needed`, what);
}

/** Character strings in quotes joined, or text without quotes as it is. */
function unquoted(text: string): string {
  if (!/^"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*$/.test(text)) return text;
  return (text.match(/"(?:[^"\\]|\\.)*"/g) ?? []).map((piece) => piece.slice(1, -1).replace(/\\(.)/g, '$1')).join('');
}

/** Character strings of at most 255 octets each (RFC 1035 section 3.3). */
function quoted(text: string): string {
  const pieces = text.match(/.{1,255}/gs) ?? [''];
  return pieces.map((piece) => `"${piece.replace(/[\\"]/g, '\\$&')}"`).join(' ');
}

function refused(text: string, why: string, what: string): AegirError {
  return new AegirError('invalid_argument', `cannot use ${JSON.stringify(text.slice(0, 300))} as ${what}: ${why}`);
}
