// nginx as one of the http engines: the suite of its type, on a real nginx and a real PHP-FPM.
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import { describeHttpEngine } from '../../conformance/http.ts';
import { createNginxEngine } from './engine.ts';

const ADDRESS = '127.0.31.7';

describeHttpEngine({
  name: 'nginx',
  daemon: 'nginx',
  createEngine: () => createNginxEngine(),
  startHost: async (dir) =>
    createEmbeddedHost({
      dir,
      hostname: 'web.test',
      address: ADDRESS,
      ports: { nginx: await freePort(), nginxTls: await freePort(), mariadb: 1 },
      daemons: ['nginx', `php-fpm@${await installedPhp()}`],
    }),
  snippets: {
    works: `# Moved; } is none here.
add_header X-Of-All yes;
location = /from-the-snippet {
  add_header X-From-Snippet "} server {" always;
  return 302 https://example.org/to;
}
`,
    fails: { text: '# First.\n\netag nonsense;\n', line: 3, says: 'invalid value "nonsense" in "etag"' },
    breakingOut: [
      '} server { server_name two.example.org;\n',
      '}\n',
      'location / {\n',
      'return 200 "unfinished\n',
      "return 200 'unfinished\n",
      'add_header X y\n',
      'set $x "a" ; # }\n}\n',
      'set $x \\"; }\n',
      'error_log /etc/cron.d/x;\n',
      '"include" /etc/passwd;\n',
      'access_log /etc/cron.d/x;\n',
    ],
  },
  foreignSite: ({ addresses, port }, name) =>
    `server { listen ${addresses[0]}:${port}; server_name ${name}; return 200 "foreign"; }\n`,
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
