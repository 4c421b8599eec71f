// What an operator has declared for the whole of Apache, and how little of it reaches into a site; on the real daemons.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { ask } from '../../conformance/http-ask.ts';
import { createFixture } from '../../conformance/http-fixture.ts';
import { REQUESTS } from '../../conformance/http-requests.ts';
import { contextOf } from '../../conformance/interruption.ts';
import { runChanges } from '../../engine.ts';
import { createApacheEngine } from './engine.ts';

const ADDRESS = '127.0.31.10';
const SITE = 'site-0000000000000001';
const NAME = 'one.example.org';
const SERVICE = {
  id: 'svc-0000000000000001',
  serverId: 'srv-0000000000000001',
  type: 'http',
  engine: 'apache',
  version: '',
  instance: '',
  settings: {},
  secrets: {},
};

/** Each of these would change what a site answers, or show something, if it reached a site. */
const OPERATOR = (dir: string) => `
# As libapache2-mod-php or a2enconf php-fpm: any .php goes to one PHP for all.
<FilesMatch "\\.php">
  SetHandler "proxy:unix:/nonexistent.sock|fcgi://localhost"
</FilesMatch>
AddHandler proxy-server .jpg .css
Alias "/style.css" "/etc/hostname"
AliasMatch "^/uploads/(.*)" "/etc/$1"
<Directory "/">
  Options Indexes FollowSymLinks
  AllowOverride All
</Directory>
<Directory "${dir}">
  Options Indexes FollowSymLinks
  AllowOverride All
</Directory>
<Location "/server-status">
  SetHandler default-handler
</Location>
RewriteEngine On
RewriteOptions InheritDownBefore
RewriteRule "^/page" "-" [R=410,L]
ProxyPass "/static" "http://127.0.0.1:1/"
ProxyPassMatch "^/(?:admin|files|any|generation)" "http://127.0.0.1:1/"
ErrorDocument 404 "of the operator"
DirectoryIndex foo.jpg
AllowEncodedSlashes NoDecode
`;

let dir = '';
let host: Host;
let apache: Daemon;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aegir-operator-'));
  const php = (await readdir('/usr/sbin'))
    .flatMap((name) => /^php-fpm(\d+\.\d+)$/.exec(name)?.[1] ?? [])
    .sort()
    .at(-1);
  if (php === undefined) throw new Error('no PHP-FPM is installed here: apt install php-fpm');
  host = await createEmbeddedHost({
    dir,
    hostname: 'web.test',
    address: ADDRESS,
    ports: { nginx: 0, apache2: await freePort(), mariadb: 0 },
    daemons: ['apache2', `php-fpm@${php}`],
  });
  const daemon = await host.daemon('apache2');
  if (daemon === undefined) throw new Error('the host has no Apache');
  apache = daemon;
  const fixture = await createFixture(host, dir);
  await host.files.write(join(dir, 'code', '.htaccess'), 'Redirect 410 /\n', { mode: 0o644 });
  await host.files.write(join(apache.includeDir, '000-operator.conf'), OPERATOR(dir), { mode: 0o644 });
  await fixture.prepareSite(SITE);
  const ctx = contextOf(host);
  const engine = createApacheEngine();
  await runChanges(await engine.plan(SERVICE, fixture.php(SITE, NAME), ctx), ctx);
});
afterAll(async () => {
  await host.close();
  await rm(dir, { recursive: true, force: true });
});

describe('an operator who has declared much for the whole server', () => {
  it.each(REQUESTS.map((each) => ({ method: 'GET', ...each })))(
    'changes nothing in $method $path → $status',
    async ({ path, status, runs, says, location, ...more }) => {
      const answer = await ask({ address: ADDRESS, port: apache.port, host: NAME, path, ...more });
      expect(answer.status).toBe(status);
      expect(/"ran":"([^"]*)"/.exec(answer.body)?.[1]?.replace('\\/', '/')).toBe(runs);
      if (says !== undefined) expect(answer.body).toContain(says);
      if (location !== undefined) expect(answer.headers['location']).toBe(location);
      expect(answer.body).not.toContain('of the operator');
    },
  );
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, ADDRESS, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
    server.on('error', reject);
  });
}
