// Virtual hosts as text: goldens of what is written, and a table of what must never be.
import { describe, expect, it } from 'vitest';
import type { WebRules } from '../../../app/app.ts';
import { phpLimits } from '../fpm/limits.ts';
import type { VirtualHost } from '../virtual-host.ts';
import { renderApacheBase } from './base.ts';
import { renderVirtualHost } from './render.ts';
import { comment, rewritePattern } from './syntax.ts';

const rules: WebRules = {
  docroot: '/var/aegir/platforms/demo/web',
  deny: [
    { pattern: '\\.(?:inc|module)$', caseless: true, why: 'source' },
    { pattern: '^/a "quoted" \\"path\\\\$', why: 'two\nlines; </VirtualHost> of why \\' },
  ],
  aliases: [{ prefix: '/sites/demo.org/files/', directory: '/var/aegir/sites/site-0000000000000001/files/' }],
  php: { scripts: ['^/index\\.php$', '^/core/[a-z]{1,20}\\.php$'], frontController: '/index.php', openBasedir: [] },
  index: ['index.php', 'index.html'],
};

const host: VirtualHost = {
  siteId: 'site-0000000000000001',
  serviceId: 'svc-0000000000000001',
  name: 'example.org',
  aliases: ['www.example.org', 'xn--bcher-kva.example'],
  state: 'enabled',
  rules,
  limits: phpLimits(undefined),
  logs: '/var/log/aegir/site-0000000000000001',
  socket: '/run/aegir/0000000000000001.sock',
  gate: '/run/aegir/0000000000000001.gate',
  upstream: undefined,
  writer: undefined,
  listening: { addresses: [], port: 80, tlsPort: 443, ipv6: true },
  tls: undefined,
  challenges: {},
  redirectTo: '',
  fronts: [],
  frontsOnly: false,
  othersHeld: false,
  auth: undefined,
  snippet: '',
};

const tls = {
  certificate: '/var/aegir/sites/site-0000000000000001/tls/a.crt',
  key: '/var/aegir/sites/site-0000000000000001/tls/a.key',
  redirect: false,
  hstsSeconds: 0,
};
const challenges = { ['t'.repeat(43)]: `${'t'.repeat(43)}.${'k'.repeat(43)}` };

const withRules = (change: Partial<WebRules>): VirtualHost => ({ ...host, rules: { ...rules, ...change } });
const withPhp = (change: Partial<NonNullable<WebRules['php']>>): VirtualHost => ({
  ...host,
  rules: { ...rules, php: { scripts: [], frontController: undefined, openBasedir: [], ...change } },
});

const CHALLENGES = { ['t'.repeat(43)]: `${'t'.repeat(43)}.${'k'.repeat(43)}` };
const TRUST = '/var/aegir/sites/site-0000000000000001/tls/a.trust';
const WAITING = { frontsOnly: true, othersHeld: true };
const BEHIND = { rules: { ...rules, php: undefined, deny: [], aliases: [], index: ['index.html'] } };

describe('a virtual host', () => {
  const goldens: readonly [string, VirtualHost][] = [
    ['php', host],
    ['disabled', { ...host, state: 'disabled' }],
    ['static', withRules({ php: undefined, deny: [], index: ['index.html'] })],
    [
      'tls',
      {
        ...withRules({ php: undefined, deny: [], aliases: [], index: ['index.html'] }),
        tls: { ...tls, redirect: true, hstsSeconds: 31_536_000 },
        challenges,
      },
    ],
    ['tls-beside', { ...host, state: 'disabled', tls, redirectTo: 'example.org', challenges }],
    ['redirect', { ...host, state: 'disabled', redirectTo: 'example.org' }],
    [
      'access',
      {
        ...host,
        auth: { realm: 'Staff', file: '/var/aegir/sites/site-0000000000000001/auth/a.passwd' },
        snippet: '  # Snippet of an administrator.\n  Header set X-From admin\n  # End of the snippet.\n',
      },
    ],
    ['held', { ...host, state: 'held', tls, redirectTo: 'example.org', challenges: CHALLENGES, fronts: ['192.0.2.1'] }],
    [
      'moved',
      { ...host, state: 'moved', tls, upstream: { address: '2001:db8::1', port: 80, tlsPort: 443, trust: TRUST } },
    ],
    [
      'moved-plain',
      { ...host, state: 'moved', upstream: { address: '192.0.2.7', port: 8080, tlsPort: 0, trust: undefined } },
    ],
    ['behind', { ...host, ...BEHIND, tls: { ...tls, redirect: true }, fronts: ['192.0.2.1', '2001:db8::1'] }],
    ['closed', { ...host, fronts: ['192.0.2.1'], frontsOnly: true }],
    ['waiting', { ...host, ...BEHIND, tls: { ...tls, redirect: true }, fronts: ['192.0.2.1'], ...WAITING }],
    ['apart', withRules({ code: '/usr/share/demo/' })],
    ['embedded', { ...host, listening: { addresses: ['127.0.1.1', '::1'], port: 8081, ipv6: true } }],
  ];

  it.each(goldens)('is written as in testdata/%s.conf', async (name, value) => {
    await expect(renderVirtualHost(value)).toMatchFileSnapshot(`testdata/${name}.conf`);
  });

  it('runs the front controller even when the scripts do not list it', () => {
    const text = renderVirtualHost(withPhp({ scripts: [], frontController: '/app.php' }));
    expect(text).toContain('RewriteRule "^/app\\.php$" "%{REQUEST_FILENAME}" [E=aegir_php:1,PT]');
  });

  it('denies before anything else, PHP source before files, and files before the front controller', () => {
    const text = renderVirtualHost(host);
    const places = [
      '"/\\.(?!',
      'inc|module',
      '"^/sites/demo\\.org/files/.*\\.(?:php',
      '"^/sites/demo\\.org/files/(.*)$" "-" [L]',
      '$1index.php',
      '"^/index\\.php$" "%{REQUEST_FILENAME}"',
      '"\\.(?:php[0-9]?',
      'RewriteRule "^" "-" [L]',
      'RewriteRule "^" "/index.php"',
    ];
    const found = places.map((place) => text.indexOf(place));
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(found).not.toContain(-1);
  });

  it('runs nothing without PHP', () => {
    const text = renderVirtualHost(withRules({ php: undefined }));
    expect(text).not.toMatch(/proxy:unix|aegir_php:1/);
  });

  it('leaves spaces and letters of any script in paths', () => {
    expect(renderVirtualHost(withRules({ docroot: '/srv/Meine Seiten/bücher' }))).toContain(
      'DocumentRoot "/srv/Meine Seiten/bücher"\n',
    );
  });
});

describe('a comment', () => {
  it('stays in its line, also when it ends with a backslash', () => {
    expect(comment('two\nlines </VirtualHost>')).toBe('# two lines </VirtualHost>');
    expect(comment('goes on \\')).toBe('# goes on');
    expect(comment('goes on \\\\\n\\')).not.toMatch(/\\$/);
    expect(comment(`${'x'.repeat(199)}\\y`)).not.toMatch(/\\$/);
  });
});

describe('a pattern', () => {
  it.each([
    ['a"b', '"a\\x22b"'],
    ['a\\"b', '"a\\x22b"'],
    ['a\\\\"b', '"a\\\\\\x22b"'],
    ['["x]', '"[\\x22x]"'],
    ['!a', '"\\!a"'],
    ['a b', '"a b"'],
    ['\\.php$', '"\\.php$"'],
  ])('%j is written as %s', (pattern, text) => {
    expect(rewritePattern(pattern)).toBe(text);
    expect(new RegExp(text.slice(1, -1).replace('\\!', '!')).source.length).toBeGreaterThan(0);
  });
});

describe('what is hostile', () => {
  const paths = [
    '/srv/a"b',
    "/srv/a'b",
    '/srv/a\nb',
    '/srv/$host',
    `/srv/\${HOME}`,
    '/srv/%{HTTP_HOST}',
    '/srv/a;b',
    '/srv/{a}',
    '/srv/<a>',
    '/srv/a|b',
    '/srv/a?b',
    '/srv/[a]',
    '/srv/a\\b',
    '/srv/a#b',
    '/srv/a\tb',
    '/srv/../etc',
    '/srv//a',
    'srv/a',
    '',
    '/srv/a\0b',
    '/srv/a`b`',
    '/srv/a:b',
    '/srv/a*',
    '/srv/a\u2028b',
    '/srv/ ',
  ];
  const names = [
    'a.org\n</VirtualHost>',
    'a.org b.org',
    '*.a.org',
    '_',
    '',
    'A.org',
    'a.org.',
    'a"b.org',
    `\${X}`,
    'a.org:80',
  ];
  const prefixes = [
    'files/',
    '/files',
    '/',
    '',
    '/a b/',
    '/a"/',
    '/../',
    '/a/../b/',
    '/a//b/',
    '/a$b/',
    '/a%{b}/',
    '/a\n/',
  ];
  const scripts = [
    'index.php',
    '/index.php [P]',
    '/a b.php',
    '/../x.php',
    '/.x.php',
    '/$1',
    '/%{ENV:x}',
    '/a"b.php',
    '/a?b',
    '/',
  ];
  const patterns = ['', 'a\nb', 'a\0b', '(?<host>.*)', "(?'host'.*)", `x\${HOME}`, '\\Qa"b\\E', 'x'.repeat(3000)];

  const cases: readonly (readonly [what: string, value: string, of: VirtualHost])[] = [
    ...paths.map((value) => ['docroot', value, withRules({ docroot: value })] as const),
    ...paths.map((value) => ['logs', value, { ...host, logs: value }] as const),
    ...paths.map((value) => ['socket', value, { ...host, socket: value }] as const),
    ['socket', 'too long', { ...host, socket: `/run/${'x'.repeat(120)}` }],
    ...paths.map(
      (value) => ['alias directory', value, withRules({ aliases: [{ prefix: '/a/', directory: value }] })] as const,
    ),
    ...prefixes.map(
      (value) => ['alias prefix', value, withRules({ aliases: [{ prefix: value, directory: '/srv/a/' }] })] as const,
    ),
    ...names.map((value) => ['name', value, { ...host, name: value }] as const),
    ...names.map((value) => ['alias', value, { ...host, aliases: [value] }] as const),
    ...patterns.map((value) => ['deny', value, withRules({ deny: [{ pattern: value, why: 'x' }] })] as const),
    ...patterns.map((value) => ['scripts', value, withPhp({ scripts: [value] })] as const),
    ...scripts.map((value) => ['front controller', value, withPhp({ frontController: value })] as const),
    ...['../index.php', '/etc/x', 'a b', 'a;b', '', '.x', 'a"', '$1', '%1'].map(
      (value) => ['index', value, withRules({ index: [value] })] as const,
    ),
    ...['site-1', 'site-0000000000000001;', '../site', 'plat-0000000000000001'].map(
      (value) => ['site id', value, { ...host, siteId: value }] as const,
    ),
    ...['*', 'localhost', ''].map(
      (value) => ['address', value, { ...host, listening: { addresses: [value], port: 80, ipv6: true } }] as const,
    ),
    ['port', '0', { ...host, listening: { addresses: [], port: 0, ipv6: true } }],
  ];

  it.each(cases)('is refused as %s: %j', (_what, _value, of) => {
    expect(() => renderVirtualHost(of)).toThrow(
      expect.objectContaining({ name: 'AegirError', code: 'invalid_argument' }),
    );
  });
});

it('the base file is written as in testdata/base.conf', async () => {
  const manifest = new Map([
    ['aegir-site-0000000000000001.conf', { digest: 'a'.repeat(64), mark: '' as const }],
    ['aegir-site-0000000000000002.conf', { digest: 'c'.repeat(64), mark: 'tls' as const }],
  ]);
  const text = renderApacheBase(
    { listening: host.listening, nobody: '/etc/apache2/aegir-nobody.pem' },
    manifest,
    'b'.repeat(64),
  );
  await expect(text).toMatchFileSnapshot('testdata/base.conf');
});
