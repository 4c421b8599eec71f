// Apache as one of the http engines: the suite of its type, on a real Apache and a real PHP-FPM.
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import { describeHttpEngine } from '../../conformance/http.ts';
import { createApacheEngine } from './engine.ts';

const ADDRESS = '127.0.31.8';

describeHttpEngine({
  name: 'apache',
  daemon: 'apache2',
  createEngine: () => createApacheEngine(),
  startHost: async (dir) =>
    createEmbeddedHost({
      dir,
      hostname: 'web.test',
      address: ADDRESS,
      ports: { nginx: 0, apache2: await freePort(), apache2Tls: await freePort(), mariadb: 0 },
      daemons: ['apache2', `php-fpm@${await installedPhp()}`],
    }),
  snippets: {
    works: `# Moved.
Header set X-Of-All yes
<If "%{REQUEST_METHOD} == 'GET'">
  Header set X-From-Snippet "</VirtualHost>"
</If>
RewriteRule "^/from-the-snippet$" "https://example.org/to" [R=302,L]
`,
    fails: { text: '# First.\n\nKeepAlive nonsense\n', line: 3, says: 'KeepAlive must be On or Off' },
    breakingOut: [
      '</VirtualHost>\n<VirtualHost *:80>\nServerName two.example.org\n',
      '  </virtualhost>\n',
      '<Location "/">\n',
      '<If "true">\n</Location>\n',
      '"</VirtualHost>"\n',
      '# a comment \\\n</VirtualHost>\n',
      'Header set X y \\\n',
      'CustomLog "|/bin/id" common\n',
      'ErrorLog /etc/cron.d/x\n',
      'Include /etc/passwd\n',
      'RewriteMap x prg:/bin/id\n',
    ],
  },
  foreignSite: ({ addresses, port }, name) =>
    `<VirtualHost ${addresses[0]}:${port}>
  ServerName ${name}
  ErrorDocument 410 "foreign"
  Redirect 410 /
</VirtualHost>
`,
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

async function installedPhp(): Promise<string> {
  const found = (await readdir('/usr/sbin')).flatMap((name) => /^php-fpm(\d+\.\d+)$/.exec(name)?.[1] ?? []);
  const [version] = found.sort().reverse();
  if (version === undefined) throw new Error('no PHP-FPM is installed here: apt install php-fpm');
  return version;
}
