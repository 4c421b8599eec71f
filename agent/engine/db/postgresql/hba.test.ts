import { describe, expect, it } from 'vitest';
import { type Allowed, hbaDrift, linesOf, parseHba, renderHba } from './hba.ts';

const ONE: Allowed = {
  database: 'site_0000000000000001',
  user: 's_0000000000000001',
  from: ['192.0.2.1', '2001:db8::1', 'localhost'],
};
const TWO: Allowed = { database: 'site_0000000000000002', user: 's_0000000000000002', from: ['192.0.2.9'] };
const NONE = new Set<string>();
const DEBIAN = `# PostgreSQL Client Authentication Configuration File

# Database administrative login by Unix domain socket
local   all             postgres                                peer

# TYPE  DATABASE        USER            ADDRESS                 METHOD
host    all             all             127.0.0.1/32            scram-sha-256
`;
const put = (text: string, site: Allowed, changing: ReadonlySet<string> = NONE) =>
  renderHba(parseHba(text), site.user, linesOf(site), changing);

describe('the lines of a site', () => {
  it('let it in from its addresses and its socket with a password, and from nowhere else to anything', () => {
    expect(linesOf(ONE)).toEqual([
      'host site_0000000000000001 s_0000000000000001 192.0.2.1/32 scram-sha-256',
      'host site_0000000000000001 s_0000000000000001 2001:db8::1/128 scram-sha-256',
      'local site_0000000000000001 s_0000000000000001 scram-sha-256',
      'host all s_0000000000000001 all reject',
      'local all s_0000000000000001 reject',
    ]);
  });

  it('stand before every rule of others, which stay as they are', () => {
    const text = put(put(DEBIAN, TWO), ONE);
    const rules = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(rules.slice(0, 8)).toEqual([...linesOf(ONE), ...linesOf(TWO)]);
    expect(text.endsWith(`# END aegir\n${DEBIAN}`)).toBe(true);
    expect(parseHba(text)).toMatchObject({ first: true, changing: NONE });
  });

  it('may stand below comments', () => {
    const text = `# mine\n\n${put('', ONE)}${DEBIAN}`;
    expect(parseHba(text).first).toBe(true);
    expect(put(text, TWO).startsWith('# mine\n\n# BEGIN aegir')).toBe(true);
  });

  it('go without a trace with the last site', () => {
    const text = put(put(DEBIAN, ONE), TWO);
    const left = renderHba(parseHba(text), ONE.user, [], NONE);
    expect(left).toBe(put(DEBIAN, TWO));
    expect(renderHba(parseHba(left), TWO.user, [], NONE)).toBe(DEBIAN);
  });

  it('are the same however often they are written', () => {
    const once = put(DEBIAN, ONE);
    expect(put(once, ONE)).toBe(once);
  });
});

describe('a file that somebody changed', () => {
  it('with a rule before ours has ours first again', () => {
    const text = `host all all all trust\n${put(DEBIAN, ONE)}`;
    expect(parseHba(text).first).toBe(false);
    const mended = put(text, ONE);
    expect(parseHba(mended).first).toBe(true);
    expect(mended.endsWith(`# END aegir\nhost all all all trust\n${DEBIAN}`)).toBe(true);
  });

  it.each([
    'host all all all trust',
    '  local all all trust',
    'include more.conf',
    'host all "s_0000000000000001" all trust',
  ])('with %j among ours has it after ours, not lost', (rule) => {
    const text = put(DEBIAN, ONE).replace('host all s_', `${rule}\nhost all s_`);
    expect(parseHba(text).first).toBe(false);
    const mended = put(text, ONE);
    expect(parseHba(mended).first).toBe(true);
    expect(mended.endsWith(`# END aegir\n${rule}\n${DEBIAN}`)).toBe(true);
  });

  it('without the end of our block loses nothing that stands behind', () => {
    const mended = put(put(DEBIAN, ONE).replace('# END aegir\n', ''), ONE);
    expect(mended).toBe(put(DEBIAN, ONE));
  });

  it('with our block twice has it once', () => {
    const mended = put(`${put('', TWO)}${put(DEBIAN, ONE)}`, ONE);
    expect(mended).toBe(put(put(DEBIAN, TWO), ONE));
  });

  it('with our lines outside of the block keeps them: they are somebody’s, and come too late to count', () => {
    const text = `${put(DEBIAN, ONE)}host all s_0000000000000001 all trust\n`;
    expect(parseHba(text).sites.get(ONE.user)).toEqual(linesOf(ONE));
    expect(put(text, ONE)).toBe(text);
  });
});

it('whose lines an agent was changing when it died is known', () => {
  const text = put(DEBIAN, ONE, new Set([ONE.user]));
  expect([...parseHba(text).changing]).toEqual([ONE.user]);
  expect(put(text, ONE)).toBe(put(DEBIAN, ONE));
});

it.each<[string, string | undefined, (lines: readonly string[]) => readonly string[]]>([
  ['as wanted', undefined, (lines) => lines],
  ['gone', 'there were none', () => []],
  ['less', '1 was missing', (lines) => lines.slice(1)],
  ['more', 'not 192.0.2.7, which no web server', (lines) => [lines[0]?.replace('2.1/', '2.7/') ?? '', ...lines]],
  [
    'other methods',
    '"host site_0000000000000001 s_0000000000000001 192.0.2.1/32 trust"',
    (lines) => lines.map((line) => line.replace('1/32 scram-sha-256', '1/32 trust')),
  ],
  [
    'other databases',
    '"host all s_',
    (lines) => lines.map((line) => line.replace('host site_0000000000000001', 'host all')),
  ],
  ['another order', 'they were in another order', (lines) => [...lines].reverse()],
  ['twice', 'they were in another order', (lines) => [...lines, ...lines]],
])('lines that are %s: %s', (_what, says, change) => {
  const why = hbaDrift(change(linesOf(ONE)), ONE).join('; ');
  if (says === undefined) expect(why).toBe('');
  else expect(why).toContain(says);
});

it('who follows comes into this database with TLS alone, and takes no copy of the server', () => {
  const lines = linesOf({ database: 'site_a', user: 'f_0123456789abcdef', from: ['192.0.2.7'], replicates: 'hostssl' });
  expect(lines).toEqual([
    'hostssl site_a f_0123456789abcdef 192.0.2.7/32 scram-sha-256',
    'host replication f_0123456789abcdef all reject',
    'local replication f_0123456789abcdef reject',
    'host all f_0123456789abcdef all reject',
    'local all f_0123456789abcdef reject',
  ]);
  const text = renderHba(parseHba(''), 'f_0123456789abcdef', lines, new Set());
  expect(parseHba(text).sites.get('f_0123456789abcdef')).toEqual(lines);
});
