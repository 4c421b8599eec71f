// A small code base with everything in it that a web server may get wrong, and the rules an app would give for it.
import { lchown, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Host } from '../../host/host.ts';
import { siteLayout } from '../../host/site-layout.ts';
import type { HttpSiteSpec } from '../engine.ts';

/** Tells what PHP was told, and what it may do. */
const REPORT = `<?php
header('Content-Type: application/json');
$ini = [];
foreach (explode(',', $_GET['ini'] ?? '') as $name) { if ($name !== '') $ini[$name] = ini_get($name); }
echo json_encode([
  'ran' => basename(dirname(__FILE__)) . '/' . basename(__FILE__),
  'script' => $_SERVER['SCRIPT_NAME'], 'uri' => $_SERVER['REQUEST_URI'], 'method' => $_SERVER['REQUEST_METHOD'],
  'query' => $_SERVER['QUERY_STRING'], 'pathInfo' => $_SERVER['PATH_INFO'] ?? null,
  'proxy' => getenv('HTTP_PROXY') ?: '', 'body' => strlen(file_get_contents('php://input')), 'ini' => $ini,
  'address' => $_SERVER['REMOTE_ADDR'], 'https' => $_SERVER['HTTPS'] ?? '',
  'auth' => $_SERVER['HTTP_AUTHORIZATION'] ?? null, 'server' => $_SERVER['SERVER_NAME'],
  'user' => $_SERVER['REMOTE_USER'] ?? $_SERVER['PHP_AUTH_USER'] ?? $_SERVER['AUTH_TYPE'] ?? null,
  'reads' => isset($_GET['read']) ? @file_get_contents($_GET['read']) !== false : null,
]);
`;
const NOBODY = 65_534;
const SOURCE = '<?php echo "ran: " . __FILE__; // secret source';

const DOCROOT: Readonly<Record<string, string>> = {
  'index.php': REPORT,
  'admin/index.php': REPORT,
  'admin/tool.php': REPORT,
  'admin/sub/tool.php': SOURCE,
  'install.php': SOURCE,
  'install.PHP': SOURCE,
  'lib/class.phtml': SOURCE,
  'style.css': 'body { color: black }',
  'page.html': '<p>a page</p>',
  'static/index.html': '<p>an index</p>',
  'empty/keep.txt': 'kept',
  'foo.jpg': 'no picture, but <?php echo "ran"; ?>',
  'uploads/x.php': SOURCE,
  'uploads/y.php5': SOURCE,
  'uploads/pic.jpg': 'a picture',
  'uploads/x.php.jpg': 'a picture by its name, <?php echo "ran"; ?>',
  'uploads/no-type': 'a file of no type',
  'index.php~': SOURCE,
  'settings.inc': SOURCE,
  'settings.INC': SOURCE,
  'composer.json': '{}',
  '.htaccess': 'secret',
  '.git/config': 'secret',
  'sub/.env': 'secret',
  'sub/.well-known/file.txt': 'secret',
  '.well-known/security.txt': 'Contact: mailto:root@example.org',
  '.well-known/.hidden': 'secret',
  '.well-known/run.php': SOURCE,
};

const UPLOADS: Readonly<Record<string, string>> = {
  'photo.txt': 'a photo',
  'evil.php': SOURCE,
  'evil.PhP': SOURCE,
  'evil.phtml': SOURCE,
  'admin/tool.php': SOURCE,
  '.secret': 'secret',
  'settings.inc': SOURCE,
};

export interface Fixture {
  /** Spec of a site with PHP, on the code base that all share. */
  php(siteId: string, name: string, change?: Partial<HttpSiteSpec>): HttpSiteSpec;
  /** The same without any PHP. */
  plain(siteId: string, name: string): HttpSiteSpec;
  /** User and directories as the agent makes them before any engine, and some uploads. */
  prepareSite(siteId: string): Promise<void>;
}

export async function createFixture(host: Host, dir: string): Promise<Fixture> {
  // As a person leads it to a release: by a link, of anybody.
  const docroot = join(dir, 'current');
  await writeTree(join(dir, 'code'), DOCROOT);
  await linkForeign('code', docroot);
  await symlink('../style.css', join(docroot, 'uploads', 'own.css'));
  await linkForeign('/etc/hostname', join(docroot, 'foreign.txt'));
  await linkForeign('/etc', join(docroot, 'etc'));

  const php: Fixture['php'] = (siteId, name, change = {}) => ({
    siteId,
    name,
    aliases: [],
    app: 'php',
    platform: { id: 'plat-0000000000000001', app: 'php', root: docroot },
    url: `http://${name}`,
    state: 'enabled',
    tls: undefined,
    challenges: {},
    redirectTo: '',
    fronts: [],
    frontsOnly: false,
    othersHeld: false,
    auth: undefined,
    snippet: undefined,
    sticky: false,
    sharedRoot: '',
    writerHead: '',
    php: {
      version: '',
      maxChildren: 2,
      memoryLimitBytes: 64n * 1024n * 1024n,
      maxBodyBytes: 100_000n,
      maxExecutionSeconds: 20,
    },
    rules: {
      docroot,
      deny: [
        { pattern: '~$', why: 'backups of editors' },
        { pattern: '\\.inc$', caseless: true, why: 'source' },
        { pattern: '^/composer\\.(?:json|lock)$', why: 'packages' },
      ],
      aliases: [{ prefix: '/files/', directory: `${siteLayout(host.paths, siteId).files}/` }],
      php: {
        // The second one would match in /files/ too, where PHP never runs.
        scripts: ['^/index\\.php$', '/admin/[a-z]+\\.php$'],
        frontController: '/index.php',
        openBasedir: [],
      },
      index: ['index.php', 'index.html'],
    },
    ...change,
  });

  return {
    php,
    plain(siteId, name) {
      const spec = php(siteId, name, { app: 'static', php: undefined });
      return { ...spec, rules: { ...spec.rules, php: undefined, index: ['index.html'] } };
    },
    async prepareSite(siteId) {
      const layout = siteLayout(host.paths, siteId);
      const user = await host.users.ensure(layout.user, layout.root);
      const own = { mode: 0o700, owner: user.name, group: user.name };
      await host.files.directory(layout.root, { mode: 0o711 });
      await host.files.directory(layout.files, { mode: 0o2750, owner: user.name });
      for (const path of [layout.tmp, layout.sessions, layout.private]) await host.files.directory(path, own);
      for (const [name, content] of Object.entries(UPLOADS)) {
        await host.files.write(await parentOf(host, join(layout.files, name)), content, { mode: 0o644 });
      }
      // The same owner at both ends, and another one at the far end: /etc is root's.
      for (const [name, target] of Object.entries({
        'own.txt': 'photo.txt',
        'foreign.txt': '/etc/hostname',
        etc: '/etc',
      })) {
        await host.files.link(target, join(layout.files, name));
      }
    },
  };
}

/** A link of another user than what it leads to: root's are those of whoever is not root. */
async function linkForeign(target: string, path: string): Promise<void> {
  await symlink(target, path);
  if (process.geteuid?.() === 0) await lchown(path, NOBODY, NOBODY);
}

async function parentOf(host: Host, path: string): Promise<string> {
  if (!(await host.files.exists(dirname(path)))) await host.files.directory(dirname(path), { mode: 0o755 });
  return path;
}

async function writeTree(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await writeFile(path, content, { mode: 0o644 });
  }
}
