// Pools as text, their limits, what PHP-FPM says of its configuration, and the FastCGI record layer of the ping.
import { describe, expect, it } from 'vitest';
import { siteLayout } from '../../../host/site-layout.ts';
import { readFpmTest } from './complaint.ts';
import { phpLimits } from './limits.ts';
import { encodeRequest, readOutput } from './ping.ts';
import { type Pool, renderFpmBase, renderPool, setsControlTimeout } from './render.ts';
import { choosePhp } from './version.ts';

const paths = {
  state: '/var/lib/aegir',
  sites: '/var/aegir/sites',
  logs: '/var/log/aegir',
  run: '/run/aegir',
  work: '/work',
};
const layout = siteLayout(paths, 'site-0000000000000001');
const pool: Pool = {
  siteId: 'site-0000000000000001',
  layout,
  docroot: '/var/aegir/platforms/demo/web',
  limits: phpLimits(undefined),
  prepend: undefined,
  openBasedir: ['/var/aegir/platforms/demo', '/usr/share/php'],
  owners: { user: layout.user, webUser: 'www-data' },
};
const invalid = expect.objectContaining({ name: 'AegirError', code: 'invalid_argument' });

describe('a pool', () => {
  it.each<[string, Pool]>([
    ['pool', pool],
    ['pool-embedded', { ...pool, owners: undefined, prepend: `${layout.config}/prepend.php` }],
  ])('is written as in testdata/%s.conf', async (name, value) => {
    await expect(renderPool(value)).toMatchFileSnapshot(`testdata/${name}.conf`);
  });

  const open = (value: Pool) => /open_basedir\] = "(.*)"/.exec(renderPool(value))?.[1]?.split(':');

  it('opens each directory once, with a slash, and never /tmp', () => {
    expect(open(pool)).toEqual([`${layout.root}/`, '/var/aegir/platforms/demo/', '/usr/share/php/']);
  });

  it('opens a prepended file that lies elsewhere, and nothing beside it', () => {
    expect(open({ ...pool, prepend: '/opt/aegir/login.php' })).toContain('/opt/aegir/login.php');
    expect(open({ ...pool, prepend: `${layout.config}/prepend.php` })).not.toContain(`${layout.config}/prepend.php`);
  });

  const hostile = ['/a"b', '/a\nb', '/a$pool', '/a;b', '/a:b', '/a\\b', `/a$${'{HOME}'}`, 'a', '/../a', '/a[b]', ''];
  it.each(hostile)('refuses the path %j wherever it stands', (path) => {
    expect(() => renderPool({ ...pool, docroot: path })).toThrow(invalid);
    expect(() => renderPool({ ...pool, prepend: path })).toThrow(invalid);
    expect(() => renderPool({ ...pool, openBasedir: [path] })).toThrow(invalid);
    expect(() => renderPool({ ...pool, layout: { ...layout, tmp: path } })).toThrow(invalid);
    expect(() => renderPool({ ...pool, layout: { ...layout, socket: path } })).toThrow(invalid);
  });

  it.each(['root\nuser = x', 'a b', '', 'Root', '$x'])('refuses the user %j', (user) => {
    expect(() => renderPool({ ...pool, owners: { user, webUser: 'www-data' } })).toThrow();
    expect(() => renderPool({ ...pool, owners: { user: 'aegir-x', webUser: user } })).toThrow();
  });
});

describe('the base file', () => {
  const base = { socket: '/run/aegir/php-fpm-8.2.sock', user: 'nobody', setsControlTimeout: true };

  it('is written as in testdata/base.conf', async () => {
    const manifest = new Map([['aegir-site-0000000000000001.conf', { digest: 'a'.repeat(64), mark: '' as const }]]);
    await expect(renderFpmBase(base, manifest, 'b'.repeat(64))).toMatchFileSnapshot('testdata/base.conf');
  });

  it('remembers whether the time for reloads is ours to set', () => {
    for (const ours of [true, false]) {
      expect(setsControlTimeout(renderFpmBase({ ...base, setsControlTimeout: ours }, new Map(), ''))).toBe(ours);
    }
  });
});

describe('limits', () => {
  const php = { version: '', maxChildren: 0, memoryLimitBytes: 0n, maxBodyBytes: 0n, maxExecutionSeconds: 0 };

  it('have the defaults that the protocol names', () => {
    const byDefault = { children: 5, memoryBytes: 268435456n, bodyBytes: 67108864n, seconds: 60 };
    expect(phpLimits(undefined)).toMatchObject(byDefault);
    expect(phpLimits(php)).toEqual(phpLimits(undefined));
  });

  it('let the web server wait longer than the pool lets a request run', () => {
    const { seconds, wallSeconds, serverSeconds } = phpLimits({ ...php, maxExecutionSeconds: 300 });
    expect([seconds < wallSeconds, wallSeconds < serverSeconds]).toEqual([true, true]);
  });

  it.each([
    { maxChildren: 501 },
    { maxChildren: -1 },
    { maxChildren: 1.5 },
    { memoryLimitBytes: 1024n },
    { memoryLimitBytes: 1n << 50n },
    { maxBodyBytes: -1n },
    { maxBodyBytes: 1n << 50n },
    { maxExecutionSeconds: 86_401 },
  ])('refuse %o', (change) => {
    expect(() => phpLimits({ ...php, ...change })).toThrow(invalid);
  });
});

describe('the version', () => {
  it('is the one asked for, else the newest', () => {
    expect(choosePhp('', ['8.3', '8.2'], 'a.org')).toBe('8.3');
    expect(choosePhp('8.2', ['8.3', '8.2'], 'a.org')).toBe('8.2');
  });

  it('that is not there is refused with those that are', () => {
    expect(() => choosePhp('7.4', ['8.3', '8.2'], 'a.org')).toThrow('it wants PHP 7.4 and this server has 8.3, 8.2');
    expect(() => choosePhp('', [], 'a.org')).toThrow('this server has no PHP-FPM; install it');
  });
});

describe('what PHP-FPM says', () => {
  it.each([
    [
      "[29-Nov-2026 09:00:00] ERROR: [/etc/php/8.2/fpm/pool.d/x.conf:2] unknown entry 'nonsense'\n[29-Nov-2026 09:00:00] ERROR: Unable to include /etc/php/8.2/fpm/pool.d/x.conf from /etc/php/8.2/fpm/php-fpm.conf at line 2\n",
      { message: "unknown entry 'nonsense'", file: '/etc/php/8.2/fpm/pool.d/x.conf', line: 2 },
    ],
    [
      "[29-Nov-2026 09:00:00] ALERT: [pool a] cannot get uid for user 'nobody-here'\n[29-Nov-2026 09:00:00] ERROR: failed to post process the configuration",
      { message: "[pool a] cannot get uid for user 'nobody-here'", file: undefined, line: undefined },
    ],
  ])('%j is read for its cause', (output, complaint) => {
    expect(readFpmTest(78, output).complaint).toEqual(complaint);
    expect(readFpmTest(0, output).complaint).toBeUndefined();
  });
});

describe('FastCGI', () => {
  const record = (type: number, text: string, padding = 0) =>
    Buffer.concat([Buffer.from([1, type, 0, 1, 0, text.length, padding, 0]), Buffer.from(text), Buffer.alloc(padding)]);
  const answer = Buffer.concat([
    record(6, 'Status: 200\r\n\r\nab', 7),
    record(7, 'warning'),
    record(6, 'cd'),
    record(3, '12345678'),
  ]);

  it('joins what the application wrote, once the request has ended, however it is cut', () => {
    for (let length = 0; length < answer.length; length++)
      expect(readOutput(answer.subarray(0, length))).toBeUndefined();
    expect(readOutput(answer)).toBe('Status: 200\r\n\r\nabcd');
  });

  it('frames a request of a role, parameters and an empty input', () => {
    const types: number[] = [];
    const request = encodeRequest('/generation');
    for (let at = 0; at < request.length; at += 8 + request.readUInt16BE(at + 4)) types.push(request.readUInt8(at + 1));
    expect(types).toEqual([1, 4, 4, 5]);
    expect(request.toString('latin1')).toContain('\x0b\x0bSCRIPT_NAME/generation');
  });
});
