// What a site answers to which request: the specification of an http engine, as a table. The code base and its rules are
// those of http-fixture.ts.
import type { Ask } from './http-ask.ts';

export interface Expectation extends Partial<Pick<Ask, 'method' | 'body' | 'headers'>> {
  readonly path: string;
  readonly status: number;
  readonly why: string;
  /** The script that must have run, as directory/file; undefined: no PHP may have run. */
  readonly runs?: string;
  /** Must be in the body. */
  readonly says?: string;
  readonly location?: string;
}

const FRONT = { status: 200, runs: 'code/index.php' } as const;

export const REQUESTS: readonly Expectation[] = [
  // What is served
  { path: '/', ...FRONT, why: 'the index of the root is the front controller' },
  { path: '/index.php', ...FRONT, why: 'an entry point' },
  { path: '/any/path?q=1', ...FRONT, says: '"query":"q=1"', why: 'what is no file goes to the front controller' },
  { path: '/any/path', method: 'POST', body: 'x'.repeat(500), ...FRONT, says: '"body":500', why: 'bodies too' },
  { path: '/any/path', method: 'DELETE', ...FRONT, says: '"method":"DELETE"', why: 'and methods of APIs' },
  { path: '/admin/', status: 200, runs: 'admin/index.php', why: 'the index of a directory' },
  { path: '/admin', status: 301, location: '/admin/', why: 'a directory is named with its slash' },
  { path: '/admin?x=1', status: 301, location: '/admin/?x=1', why: 'and keeps its query' },
  { path: '/admin/tool.php', status: 200, runs: 'admin/tool.php', why: 'another entry point' },
  { path: '/style.css', status: 200, says: 'color: black', why: 'a file' },
  { path: '/page.html?x', status: 200, says: 'a page', why: 'a file with a query' },
  { path: '/static/', status: 200, says: 'an index', why: 'the second name of an index' },
  { path: '/uploads/pic.jpg', status: 200, says: 'a picture', why: 'a file' },
  { path: '/uploads/own.css', status: 200, says: 'color: black', why: 'a link of the code to what its own user has' },
  { path: '/foreign.txt', ...FRONT, why: 'a link of the code to what another has is not there' },
  { path: '/etc/hostname', ...FRONT, why: 'nor is a directory of another' },
  { path: '/etc/', ...FRONT, why: 'nor is it listed' },
  { path: '/foreign.txt', method: 'POST', body: 'x', ...FRONT, says: '"method":"POST"', why: 'nor refused as a file' },
  { path: '/.well-known/security.txt', status: 200, says: 'Contact', why: 'the one dot that is public (RFC 8615)' },
  { path: '/files/photo.txt', status: 200, says: 'a photo', why: 'an aliased directory' },
  { path: '/files/styles/not-yet.jpg', ...FRONT, why: 'apps make derived images on demand' },
  { path: '/files/own.txt', status: 200, says: 'a photo', why: 'a link to what the site itself owns' },
  { path: '/files/foreign.txt', ...FRONT, why: 'a link to what another owns is not there' },
  { path: '/files/etc/hostname', ...FRONT, why: 'nor is a directory of another' },
  { path: '/files/', ...FRONT, why: 'nor is an aliased directory listed' },
  { path: '/files', ...FRONT, why: 'an alias begins with its slash' },
  { path: '/empty/', ...FRONT, why: 'a directory is never listed' },
  { path: '/search/a%2Fb', ...FRONT, says: '"uri":"\\/search\\/a%2Fb"', why: 'a slash encoded is for the app' },
  { path: '/server-status', ...FRONT, why: 'what the whole server has elsewhere is none of the site' },
  {
    path: '/any',
    headers: { Authorization: 'Basic eDp5' },
    ...FRONT,
    says: '"auth":"Basic eDp5"',
    why: 'apps check passwords themselves',
  },
  { path: '/style.css', method: 'POST', body: 'x', status: 405, why: 'a file is read' },
  // What is denied
  { path: '/.htaccess', status: 404, why: 'dotfile' },
  { path: '/.git/config', status: 404, why: 'below a dot directory' },
  { path: '/.git', status: 404, why: 'the dot directory itself' },
  { path: '/%2egit/config', status: 404, why: 'the dot encoded' },
  { path: '/%2Ehtaccess', status: 404, why: 'the dot encoded' },
  { path: '/sub%2f.env', status: 404, why: 'the slash before it encoded' },
  { path: '/sub/.env', status: 404, why: 'a dotfile further down' },
  { path: '/sub/.well-known/file.txt', status: 404, why: '.well-known is public in the root only' },
  { path: '/.well-known/.hidden', status: 404, why: 'a dotfile in .well-known' },
  { path: '/.well-known/run.php', status: 404, why: 'no PHP in .well-known' },
  { path: '/index.php~', status: 404, why: 'a backup is source' },
  { path: '/index.php%7E', status: 404, why: 'encoded too' },
  { path: '/settings.inc', status: 404, why: 'denied by a rule' },
  { path: '/settings.INC', status: 404, why: 'denied by a caseless rule' },
  { path: '/composer.json', status: 404, why: 'denied by a rule' },
  { path: '//composer.json', status: 404, why: 'slashes are merged before rules are read' },
  { path: '/sub/../composer.json', status: 404, why: 'dots are resolved before rules are read' },
  { path: '/sub%2f..%2fcomposer.json', status: 404, why: 'slashes encoded too' },
  { path: '/composer.json%3f.css', ...FRONT, why: 'a question mark encoded is part of a name' },
  { path: '/composer.json', method: 'POST', body: 'x', status: 404, why: 'whatever the method' },
  { path: '/../../etc/passwd', status: 400, why: 'there is nothing above the root' },
  { path: '/%2e%2e/%2e%2e/etc/passwd', status: 400, why: 'encoded too' },
  // What PHP must not run, and nobody may read
  { path: '/install.php', status: 404, why: 'no entry point' },
  { path: '/install.PHP', status: 404, why: 'in capitals' },
  { path: '/INDEX.PHP', status: 404, why: 'an entry point in capitals is another file' },
  { path: '/lib/class.phtml', status: 404, why: 'PHP by another name' },
  { path: '/uploads/x.php', status: 404, why: 'PHP among uploads' },
  { path: '/uploads/x%2ephp', status: 404, why: 'encoded' },
  { path: '/uploads//x.php', status: 404, why: 'with slashes' },
  { path: '/uploads/y.php5', status: 404, why: 'PHP by another name' },
  { path: '/admin/sub/tool.php', status: 404, why: 'below the entry points' },
  { path: '/admin/none.php', status: 404, why: 'an entry point that is not there (CVE-2019-11043)' },
  { path: '/nowhere.php', status: 404, why: 'not there' },
  { path: '/uploads/x.php.jpg', status: 200, says: 'by its name', why: 'a picture, whatever stands before .jpg' },
  { path: '/uploads/x.php%3f.jpg', ...FRONT, why: 'no such picture; x.php is not handed out in its place' },
  { path: '/foo.jpg/x.php', status: 404, why: 'a file with a script behind it: the picture must not run' },
  { path: '/uploads/pic.jpg/.php', status: 404, why: 'the same with a dot' },
  { path: '/index.php/x.php', status: 404, why: 'a script behind a script' },
  { path: '/uploads/x.php/', ...FRONT, why: 'no such directory; the front controller answers, x.php does not run' },
  { path: '/uploads/x.php/y', ...FRONT, why: 'no path behind scripts either' },
  { path: '/index.php/node/1', ...FRONT, says: '"pathInfo":null', why: 'old links; the path is in REQUEST_URI' },
  { path: '/index.php%0a/x', ...FRONT, why: 'a line feed in the path (CVE-2019-11043)' },
  { path: '/files/evil.php', status: 404, why: 'no PHP in aliases' },
  { path: '/files/evil.PhP', status: 404, why: 'in any case' },
  { path: '/files/evil.phtml', status: 404, why: 'by any name' },
  { path: '/files/admin/tool.php', status: 404, why: 'even where an entry point would match' },
  { path: '/files/.secret', status: 404, why: 'dotfiles in aliases' },
  { path: '/files/settings.inc', status: 404, why: 'rules hold in aliases' },
  { path: '/files../code/composer.json', ...FRONT, why: 'an alias ends at its slash' },
  { path: '/files/%2e%2e/private/x', ...FRONT, why: 'and is not left upwards' },
  // Bounds
  {
    path: '/any',
    method: 'POST',
    body: 'x'.repeat(100_000),
    ...FRONT,
    says: '"body":100000',
    why: 'as large as may be',
  },
  { path: '/any', method: 'POST', body: 'x'.repeat(100_001), status: 413, why: 'one byte more' },
  { path: '/any', headers: { Proxy: 'http://evil.example' }, ...FRONT, says: '"proxy":""', why: 'httpoxy' },
];
