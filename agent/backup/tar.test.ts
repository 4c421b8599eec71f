// Headers as pax has them: the same bytes for ever, read back as what they were, and read by others.
import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import type { Entry } from './entry.ts';
import { decimalSeconds, encodeHeader, padding } from './tar-header.ts';
import { parseHeader } from './tar-parse.ts';

const PLAIN: Entry = {
  ...{ path: 'files/a.txt', kind: 'file', mode: 0o644, size: 5, mtimeNs: 1_600_000_000_000_000_000n },
  ...{ owner: { user: 'site', group: 'web' }, target: '' },
};
const long = 'd'.repeat(200);

const CASES: readonly (readonly [string, Entry])[] = [
  ['a plain file', PLAIN],
  ['a fraction of a second', { ...PLAIN, mtimeNs: 1_600_000_000_123_456_789n }],
  ['before 1970', { ...PLAIN, mtimeNs: -1_500_000_000n }],
  ['the first second', { ...PLAIN, mtimeNs: 1n }],
  ['a far future', { ...PLAIN, mtimeNs: 9_000_000_000_123_456_789n }],
  ['a directory', { ...PLAIN, kind: 'directory', path: 'files/sub', mode: 0o2750, size: 0 }],
  ['a link', { ...PLAIN, kind: 'link', mode: 0o777, size: 0, target: '../../etc/passwd' }],
  ['a long link', { ...PLAIN, kind: 'link', mode: 0o777, size: 0, target: `/${long}` }],
  ['100 characters', { ...PLAIN, path: `files/${'x'.repeat(94)}` }],
  ['101 characters', { ...PLAIN, path: `files/${'x'.repeat(95)}` }],
  ['a long path', { ...PLAIN, path: `files/${long}/${long}/${long}` }],
  ['a directory of 100 characters', { ...PLAIN, kind: 'directory', size: 0, path: `files/${'x'.repeat(94)}` }],
  ['a newline', { ...PLAIN, path: 'files/a\nb=c\n12 path=x' }],
  ['a newline in a long path', { ...PLAIN, path: `files/${long}\n30 path=files/other\n` }],
  ['UTF-8', { ...PLAIN, path: Buffer.from('files/grüße ✓').toString('latin1') }],
  ['bytes that are no UTF-8', { ...PLAIN, path: 'files/\xff\xfe\x80' }],
  ['a link to bytes that are no UTF-8', { ...PLAIN, kind: 'link', mode: 0o777, size: 0, target: '\xff' }],
  ['more than 8 GB', { ...PLAIN, size: 20_000_000_000 }],
  ['8 GB to the byte', { ...PLAIN, size: 8_589_934_591 }],
  ['nothing', { ...PLAIN, size: 0 }],
  ['set-id and sticky', { ...PLAIN, mode: 0o7777 }],
  ['of root', { ...PLAIN, owner: { user: 'root', group: 'root' } }],
  ['of strangers', { ...PLAIN, owner: { user: 1234, group: 4321 } }],
  ['of strangers with large numbers', { ...PLAIN, owner: { user: 3_000_000_000, group: 2_097_152 } }],
];

const reader = (bytes: Buffer) => (from: number, length: number) => {
  if (from + length > bytes.length) throw new Error('it ends before');
  return bytes.subarray(from, from + length);
};

test.each(CASES)('%s is read back as it was', (_, entry) => {
  const header = encodeHeader(entry);
  expect(header.length % 512).toBe(0);
  expect(parseHeader(reader(header))).toEqual({ entry, length: header.length });
});

test.each(CASES.filter(([, { size, mtimeNs }]) => size < 100 && mtimeNs < 10n ** 19n))(
  '%s is what another program reads, too',
  async (_, entry) => {
    const body = Buffer.alloc(entry.size + padding(entry.size), 'x');
    const reading = extract();
    reading.end(Buffer.concat([encodeHeader(entry), body, Buffer.alloc(1024)]));
    const found = [];
    for await (const each of reading) {
      found.push(each.header);
      each.resume();
    }
    const [header] = found;
    expect(found.length).toBe(1);
    const isText = !/[\x80-\xff]/.test(entry.path + entry.target);
    const name = entry.kind === 'directory' ? `${entry.path}/` : entry.path;
    if (isText) expect(header).toMatchObject({ name, linkname: entry.target === '' ? null : entry.target });
    expect(header).toMatchObject({ size: entry.size, mode: entry.mode });
  },
);

test('bytes of a header never change', () => {
  const lines = (entry: Entry) => encodeHeader(entry).toString('latin1').replace(/\0+/g, '|');
  expect(lines(PLAIN)).toBe(
    'files/a.txt|0000644|0177776|0177776|00000000005|13727410000|013005| 0|ustar|00site|web|0000000|0000000|',
  );
  expect(lines({ ...PLAIN, mtimeNs: 1_600_000_000_500_000_000n })).toBe(
    'PaxHeaders/entry|0000644|0000000|0000000|00000000026|00000000000|012423| x|ustar|00|0000000|0000000|' +
      '22 mtime=1600000000.5\n|' +
      'files/a.txt|0000644|0177776|0177776|00000000005|13727410000|013005| 0|ustar|00site|web|0000000|0000000|',
  );
});

test.each([
  [0n, '0'],
  [1n, '0.000000001'],
  [-1n, '-0.000000001'],
  [1_500_000_000n, '1.5'],
  [-1_500_000_000n, '-1.5'],
])('%d ns is %s s', (ns, text) => expect(decimalSeconds(ns)).toBe(text));

test.each<[string, (header: Buffer) => void, RegExp]>([
  ['a hard link', (header) => void header.write('1', 156), /a hard link/],
  ['a device', (header) => void header.write('3', 156), /a device/],
  ['a pipe', (header) => void header.write('6', 156), /a named pipe/],
  ['an unknown kind', (header) => void header.write('Z', 156), /an unknown kind/],
  ["GNU's long name", (header) => void header.write('L', 156), /GNU/],
  ['another checksum', (header) => void header.write('7', 150), /not one that Aegir writes/],
  ['a prefix', (header) => void header.write('/etc', 345), /not one that Aegir writes/],
  ['bytes after the name', (header) => void header.write('x', 50), /not one that Aegir writes/],
  ['a size that is none', (header) => void header.write('9', 124), /a number in a header is none/],
  ['another format', (header) => void header.write('ustar  \0', 257), /not one that Aegir writes/],
])('a header with %s is refused', (_, alter, why) => {
  const header = encodeHeader(PLAIN);
  alter(header);
  expect(() => parseHeader(reader(header))).toThrow(why);
});

test.each([
  ['a record twice', '11 path=ab\n11 path=cd\n'],
  ['an unknown record', '12 other=ab\n'],
  ['a length that is wrong', '99 path=ab\n'],
  ['no length', 'path=ab\n'],
  ['a needless record', '19 path=files/a.txt\n'],
])('an extended header with %s is refused', (_, text) => {
  const long = encodeHeader({ ...PLAIN, mtimeNs: 1n });
  const extended = Buffer.from(long.subarray(0, 512));
  extended.write(text.length.toString(8).padStart(11, '0'), 124);
  const bytes = Buffer.concat([extended, Buffer.from(text.padEnd(512, '\0'), 'latin1'), encodeHeader(PLAIN)]);
  expect(() => parseHeader(reader(bytes))).toThrow(/cannot use the archive/);
});
