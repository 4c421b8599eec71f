// Virtual hosts as text: goldens of what is written, and a table of what must never be.
import { describe, expect, it } from 'vitest';
import type { WebRules } from '../../../app/app.ts';
import type { Manifest } from '../config/manifest.ts';
import { phpLimits } from '../fpm/limits.ts';
import type { VirtualHost } from '../virtual-host.ts';
import { renderNginxBase, sizesIn } from './base.ts';
import { renderVirtualHost } from './render.ts';

const rules: WebRules = {
  docroot: '/var/aegir/platforms/demo/web',
  deny: [
    { pattern: '\\.(?:inc|module)$', caseless: true, why: 'source' },
    { pattern: '^/a "quoted" \\"path\\\\$', why: 'two\nlines; } of why' },
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
  redirect: true,
  hstsSeconds: 31_536_000,
};

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
    ['tls', { ...host, tls, challenges: { ['t'.repeat(43)]: `${'t'.repeat(43)}.${'k'.repeat(43)}` } }],
    ['tls-beside', { ...host, tls: { ...tls, redirect: false, hstsSeconds: 0 }, redirectTo: 'www.example.org' }],
    ['redirect', { ...host, redirectTo: 'example.org' }],
    ['static', withRules({ php: undefined, deny: [], index: ['index.html'] })],
    [
      'access',
      {
        ...host,
        auth: { realm: 'Staff', file: '/var/aegir/sites/site-0000000000000001/auth/a.passwd' },
        snippet: '  # Snippet of an administrator.\n  add_header X-From admin;\n  # End of the snippet.\n',
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
    ['ipv4-only', { ...host, listening: { addresses: [], port: 80, ipv6: false } }],
  ];

  it.each(goldens)('is written as in testdata/%s.conf', async (name, value) => {
    await expect(renderVirtualHost(value)).toMatchFileSnapshot(`testdata/${name}.conf`);
  });

  it('runs the front controller even when the scripts do not list it', () => {
    const text = renderVirtualHost(withPhp({ scripts: [], frontController: '/app.php' }));
    expect(text).toContain('location ~ "^/app\\\\.php$"');
  });

  it('denies before PHP may run, and PHP source before files', () => {
    const text = renderVirtualHost(host);
    const places = [
      '"/\\\\.(?!',
      'inc|module',
      '/sites/demo\\\\.org/files/.*',
      '"^/index',
      '"\\\\.(?:php[0-9]?',
      'alias',
      'location / {',
    ];
    const found = places.map((place) => text.indexOf(place));
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(found).not.toContain(-1);
  });

  it('keeps a comment in its line', () => {
    expect(renderVirtualHost(host)).toContain('# two lines; } of why\n');
  });
});

describe('what is hostile', () => {
  const paths = [
    '/srv/a"b',
    "/srv/a'b",
    '/srv/a\nb',
    '/srv/$host',
    '/srv/a;b',
    '/srv/{a}',
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
    'a.org;',
    'a.org b.org',
    '~^a',
    '*.a.org',
    '_',
    '',
    'A.org',
    'a.org.',
    'bücher.example',
    'a"b.org',
    '$host',
    '127.0.0.1',
    'a\n.org',
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
    '/a;/',
    '/a$b/',
    '/a{/',
    '/a\n/',
    '/%2e/',
  ];
  const scripts = [
    'index.php',
    '/index.php;',
    '/a b.php',
    '/../x.php',
    '/.x.php',
    '/$uri',
    '/a"b.php',
    '/a\n.php',
    '/',
  ];
  const patterns = ['', 'a\nb', 'a\0b', '(?<host>.*)', "(?'host'.*)", '(?P<host>.*)', 'x'.repeat(3000)];

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
    ...['../index.php', '/etc/x', 'a b', 'a;b', '', '.x', 'a"'].map(
      (value) => ['index', value, withRules({ index: [value] })] as const,
    ),
    ...['site-1', 'site-0000000000000001;', '../site', 'plat-0000000000000001'].map(
      (value) => ['site id', value, { ...host, siteId: value }] as const,
    ),
    ...['0.0.0.0; x', 'localhost', ''].map(
      (value) => ['address', value, { ...host, listening: { addresses: [value], port: 80, ipv6: true } }] as const,
    ),
    ['port', '0', { ...host, listening: { addresses: [], port: 0, ipv6: true } }],
  ];

  it.each(cases)('is refused as %s: %j', (_what, _value, of) => {
    expect(() => renderVirtualHost(of)).toThrow(
      expect.objectContaining({ name: 'AegirError', code: 'invalid_argument' }),
    );
  });

  it('leaves spaces and letters of any script in paths', () => {
    expect(renderVirtualHost(withRules({ docroot: '/srv/Meine Seiten/bücher' }))).toContain(
      'root "/srv/Meine Seiten/bücher";',
    );
  });
});

describe('the base file', () => {
  const manifest: Manifest = new Map([
    ['aegir-site-0000000000000001.conf', { digest: 'a'.repeat(64), mark: '' }],
    ['aegir-site-0000000000000002.conf', { digest: 'c'.repeat(64), mark: 'tls' }],
  ]);
  const listening = { addresses: [], port: 80, tlsPort: 443, ipv6: true };

  it('is written as in testdata/base.conf', async () => {
    const text = renderNginxBase({ listening, sizes: ['server_names_hash_bucket_size'] }, manifest, 'b'.repeat(64));
    await expect(text).toMatchFileSnapshot('testdata/base.conf');
  });

  it('is read again for the directives it has', () => {
    const both = ['server_names_hash_bucket_size', 'server_names_hash_max_size'] as const;
    for (const sizes of [[], [both[0]], [both[1]], both]) {
      expect(sizesIn(renderNginxBase({ listening, sizes }, manifest, ''))).toEqual(sizes);
    }
    expect(sizesIn('# server_names_hash_bucket_size 64;')).toEqual([]);
  });
});
