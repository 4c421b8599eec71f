import { describe, expect, it } from 'vitest';
import { presentation } from './rdata.ts';
import { diffRecords, type Step } from './record-diff.ts';
import { type Contents, contentsOf } from './rrset.ts';
import { wantedOf } from './wanted.ts';

const SITE = 'site-0000000000000001';
const OTHER = 'site-0000000000000002';

/** Lines of a zone file: "www 3600 A 192.0.2.10". */
function zone(...lines: readonly string[]): Contents {
  return contentsOf(lines.map(parsed));
}

function parsed(line: string) {
  const [, label = '', ttl = '', type = '', data = ''] = /^(\S+) (\d+) (\S+) (.+)$/.exec(line) ?? [];
  return { name: label === '@' ? 'example.org' : `${label}.example.org`, ttl: Number(ttl), type, data };
}

function mark(label: string, owner: string, types: string): string {
  return `${label === '@' ? '_aegir' : `_aegir.${label}`} 300 TXT "aegir owner=${owner} types=${types}"`;
}

function diff(contents: Contents, ...lines: readonly string[]): readonly Step[] {
  return diffRecords(SITE, wantedOf('example.org', lines.map(parsed)), contents);
}

/** The zone after the steps; throws where one does not find what it expects. */
function after(contents: Contents, steps: readonly Step[]): readonly string[] {
  const sets = new Map(contents.all().map((set) => [`${set.name} ${set.type}`, set]));
  for (const { edits } of steps) {
    for (const edit of edits) {
      const key = `${edit.name} ${edit.type}`;
      expect(sets.get(key)).toEqual(edit.before);
      if (edit.after === undefined) sets.delete(key);
      else sets.set(key, edit.after);
    }
  }
  const short = (name: string) => (name === 'example.org' ? '@' : name.replace(/\.example\.org$/, ''));
  return [...sets.values()]
    .flatMap((set) => set.data.map((data) => `${short(set.name)} ${set.ttl} ${set.type} ${data}`))
    .sort();
}

const A = 'www 3600 A 192.0.2.10';
const MARKED = mark('www', SITE, 'A');

describe('diffRecords', () => {
  it.each<[what: string, before: string[], wanted: string[], summaries: string[], after: string[]]>([
    ['nothing wanted, nothing there', [], [], [], []],
    ['a first record', [], [A], ['set www.example.org. 3600 IN A 192.0.2.10'], [A, MARKED]],
    ['all as it should be', [A, MARKED], [A], [], [A, MARKED]],
    ['the same twice', [], [A, A], ['set www.example.org. 3600 IN A 192.0.2.10'], [A, MARKED]],
    [
      'somebody has set the same already',
      [A],
      [A],
      ['set www.example.org. 3600 IN A 192.0.2.10 (it is there already: from now on it is kept)'],
      [A, MARKED],
    ],
    [
      'somebody has set the same with another TTL',
      ['www 60 A 192.0.2.10'],
      [A],
      ['set www.example.org. 3600 IN A 192.0.2.10 (its TTL was 60)'],
      [A, MARKED],
    ],
    [
      'other types of the name are of others',
      ['www 60 TXT "x"', 'www 60 MX 10 a.b.'],
      [A],
      ['set www.example.org. 3600 IN A 192.0.2.10'],
      [A, MARKED, 'www 60 TXT "x"', 'www 60 MX 10 a.b.'],
    ],
    [
      'another address',
      ['www 3600 A 203.0.113.5', MARKED],
      [A],
      ['set www.example.org. 3600 IN A 192.0.2.10 (instead of A 203.0.113.5)'],
      [A, MARKED],
    ],
    [
      'an address too many',
      [A, 'www 3600 A 203.0.113.5', MARKED],
      [A],
      ['remove www.example.org. 3600 IN A 203.0.113.5'],
      [A, MARKED],
    ],
    [
      'an address of the other family',
      [A, 'www 60 AAAA 2001:db8::bad', MARKED],
      [A],
      ['remove www.example.org. 60 IN AAAA 2001:db8::bad'],
      [A, MARKED],
    ],
    [
      'two addresses, of which one is missing',
      [A, MARKED],
      [A, 'www 3600 A 192.0.2.11'],
      ['set www.example.org. 3600 IN A 192.0.2.11'],
      [A, 'www 3600 A 192.0.2.11', MARKED],
    ],
    [
      'a CNAME in place of ours',
      ['www 60 CNAME cdn.example.org.', 'cdn 60 CNAME x.example.org.', 'x 60 A 203.0.113.6', MARKED],
      [A],
      [
        'set www.example.org. 3600 IN A 192.0.2.10 (instead of CNAME cdn.example.org. → CNAME x.example.org. → 203.0.113.6)',
      ],
      [A, 'cdn 60 CNAME x.example.org.', 'x 60 A 203.0.113.6', MARKED],
    ],
    [
      'addresses in place of our CNAME',
      ['www 60 A 203.0.113.5', mark('www', SITE, 'CNAME')],
      ['www 3600 CNAME a.example.org.'],
      ['set www.example.org. 3600 IN CNAME a.example.org. (instead of A 203.0.113.5)'],
      ['www 3600 CNAME a.example.org.', mark('www', SITE, 'CNAME')],
    ],
    [
      'from addresses to a CNAME',
      [A, 'www 3600 AAAA 2001:db8::10', mark('www', SITE, 'A,AAAA')],
      ['www 3600 CNAME a.example.org.'],
      ['set www.example.org. 3600 IN CNAME a.example.org. (instead of A 192.0.2.10 and AAAA 2001:db8::10)'],
      ['www 3600 CNAME a.example.org.', mark('www', SITE, 'CNAME')],
    ],
    [
      'from a CNAME to an address',
      ['www 60 CNAME a.example.org.', mark('www', SITE, 'CNAME')],
      [A],
      ['set www.example.org. 3600 IN A 192.0.2.10 (instead of CNAME a.example.org.)'],
      [A, MARKED],
    ],
    [
      'a name and a type that are wanted no more',
      [A, 'old 3600 A 192.0.2.10', mark('old', SITE, 'A'), 'www 3600 MX 10 a.b.', mark('www', SITE, 'A,MX')],
      [A],
      ['remove www.example.org. 3600 IN MX 10 a.b.', 'remove old.example.org. 3600 IN A 192.0.2.10'],
      [A, MARKED],
    ],
    [
      'a mark of what is gone',
      [mark('www', SITE, 'A')],
      [],
      ['forget the A records of www.example.org, which are gone'],
      [],
    ],
    [
      'everything, and another family by somebody else stays',
      [A, 'www 60 AAAA 2001:db8::bad', MARKED],
      [],
      ['remove www.example.org. 3600 IN A 192.0.2.10'],
      ['www 60 AAAA 2001:db8::bad'],
    ],
    [
      'two owners at one name, for types that get along',
      ['www 3600 MX 10 a.b.', mark('www', OTHER, 'MX')],
      [A],
      ['set www.example.org. 3600 IN A 192.0.2.10'],
      [A, 'www 3600 MX 10 a.b.', mark('www', OTHER, 'MX'), MARKED],
    ],
    [
      'somebody else has a text at the name of the mark',
      ['_aegir.www 60 TXT "mine"'],
      [A],
      ['set www.example.org. 3600 IN A 192.0.2.10'],
      [A, '_aegir.www 60 TXT "mine"', MARKED.replace(' 300 ', ' 60 ')],
    ],
    [
      'a wildcard and the apex',
      [],
      ['*.w 60 A 192.0.2.10', '@ 60 A 192.0.2.10'],
      ['set *.w.example.org. 60 IN A 192.0.2.10', 'set example.org. 60 IN A 192.0.2.10'],
      ['*.w 60 A 192.0.2.10', '@ 60 A 192.0.2.10', mark('_wildcard.w', SITE, 'A'), mark('@', SITE, 'A')],
    ],
    [
      'signatures are of the server',
      [A, 'www 3600 RRSIG A 8 3 3600 1 2 3 example.org. abc=', 'www 300 NSEC a.example.org. A RRSIG', MARKED],
      [A],
      [],
      [A, MARKED],
    ],
  ])('%s', (_what, before, wanted, summaries, expected) => {
    const contents = zone(...before);
    const steps = diff(contents, ...wanted);
    expect(steps.map(({ summary }) => summary)).toEqual(summaries);
    const result = after(contents, steps);
    expect(result).toEqual([...expected].sort());
    expect(diff(zone(...result), ...wanted)).toEqual([]);
  });

  it.each<[what: string, before: string[], wanted: string, code: string, says: string]>([
    [
      'an address of somebody',
      ['www 60 A 203.0.113.5'],
      A,
      'failed_precondition',
      'www.example.org. 60 IN A 203.0.113.5',
    ],
    ['one of the other family', ['www 60 AAAA 2001:db8::1'], A, 'failed_precondition', 'IN AAAA 2001:db8::1'],
    ['a CNAME of somebody', ['www 60 CNAME a.b.'], A, 'failed_precondition', 'IN CNAME a.b.'],
    ['a text at a CNAME', ['www 60 TXT "x"'], 'www 60 CNAME a.b.', 'failed_precondition', 'IN TXT "x"'],
    ['more than wanted', [A, 'www 3600 A 203.0.113.5'], A, 'failed_precondition', 'it is adopted'],
    ['an address of another site', [A, mark('www', OTHER, 'A')], A, 'already_exists', `belong to ${OTHER}`],
    [
      'one of the other family',
      ['www 60 AAAA 2001:db8::1', mark('www', OTHER, 'AAAA')],
      A,
      'already_exists',
      `its AAAA records belong to ${OTHER}`,
    ],
    ['a CNAME of another', [mark('www', OTHER, 'CNAME')], A, 'already_exists', `its CNAME records belong to ${OTHER}`],
  ])('%s is left alone, and told', (_what, before, wanted, code, says) => {
    let thrown: unknown;
    try {
      diff(zone(...before), wanted);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code, untouched: true, message: expect.stringContaining(says) });
    expect((thrown as Error).message).toMatch(/^cannot set records of www\.example\.org: .*; /);
  });
});

describe('wantedOf', () => {
  it.each<[wanted: string[], why: RegExp]>([
    [['www 60 A 192.0.2.1', 'www 90 A 192.0.2.2'], /different TTLs/],
    [['www 60 CNAME a.b.', 'www 60 CNAME c.d.'], /two CNAME records/],
    [['www 60 CNAME a.b.', 'www 60 A 192.0.2.1'], /exclude each other/],
    [['@ 60 CNAME a.b.'], /apex/],
    [['_aegir.www 60 TXT x'], /marks/],
    [['_wildcard.www 60 TXT x'], /marks/],
    [[`${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(53)} 60 A 192.0.2.1`], /more than 246/],
    [['www 60 A nonsense'], /as data of a record of type A/],
  ])('refuses %j', (wanted, why) => {
    expect(() => wantedOf('example.org', wanted.map(parsed))).toThrow(why);
  });

  it('refuses names of other zones', () => {
    expect(() => wantedOf('example.com', [parsed(A)])).toThrow('it is not in zone example.com');
    expect(() => wantedOf('ample.org', [parsed('@ 60 A 192.0.2.1')])).toThrow('it is not in zone ample.org');
  });

  it('takes the same data in two spellings for one record', () => {
    const twice = ['www 60 AAAA 2001:db8::1', 'www 60 AAAA 2001:0DB8::1'].map(parsed);
    expect(wantedOf('example.org', twice).records).toHaveLength(1);
    expect(wantedOf('example.org', twice).get('www.example.org', 'AAAA')?.data).toEqual([
      presentation('AAAA', '2001:db8::1'),
    ]);
  });
});
