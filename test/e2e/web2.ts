// A second web server beside web1, to move sites to: on the same port, as on real servers, so that a site keeps its address.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EmbeddedServer, type ExtraEnv, until } from '../../deploy/up/processes.ts';
import { ServiceServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { freePorts } from './free-ports.ts';
import { addPlatform, type Machine } from './machine.ts';

export const WEB2 = '127.0.1.3';

/** database: with a MariaDB of its own. Resolves when its services are enabled. */
export async function startWeb2(machine: Machine, database: boolean, env: ExtraEnv = {}): Promise<void> {
  const { nginx } = machine.layout.ports.web1;
  const [mariadb = 0] = database ? await freePorts(1, '127.0.0.1') : [];
  const web2: EmbeddedServer = {
    ...{ name: 'web2', address: WEB2 },
    ...(database
      ? { daemons: ['nginx', 'php-fpm', 'mariadb'], types: ['http', 'db', 'dns'], ports: { nginx, mariadb } }
      : { daemons: ['nginx', 'php-fpm'], types: ['http', 'dns'], ports: { nginx } }),
  };
  await machine.startServer(web2, env);
  await untilEnabled(machine, 'web2/nginx', 'web2/null', ...(database ? ['web2/mariadb'] : []));
}

/** Services of web2, as people name them. */
export function untilEnabled(machine: Machine, ...names: readonly string[]): Promise<void> {
  return until('the second web server to be there', undefined, new AbortController().signal, async () => {
    const asked = { pageSize: 0, pageToken: '', server: 'web2', type: '' };
    const { services } = await machine.connection().call(ServiceServiceService.listServices, asked);
    return names.every((name) => services.some((each) => each.name === name && each.state === 'enabled'));
  });
}

/** Platforms code on web1 and code2 on web2, of PHP that answers with its server. */
export async function addAnswering(machine: Machine): Promise<void> {
  for (const [name, server] of [
    ['code', 'web1'],
    ['code2', 'web2'],
  ] as const) {
    const root = join(machine.layout.dir, `code-${server}`);
    mkdirSync(root, { mode: 0o755 });
    writeFileSync(join(root, 'index.php'), `<?php echo 'served by ${server}';\n`, { mode: 0o644 });
    await addPlatform(machine, name, root, `${server}/nginx`);
  }
}
