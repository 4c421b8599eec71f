// Lets other servers reach MariaDB: Debian's listens on the loopback only.
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Daemon } from '../../../host/host.ts';
import type { ActionContext, Change } from '../../engine.ts';
import type { Client } from './client.ts';

const FILE = '90-aegir.cnf';
const CONTENT = `# Written by Aegir: web servers on other hosts connect here. Users are allowed by address, so names are not looked up.
[mariadbd]
bind-address = *
skip-name-resolve
`;

export async function planListening(client: Client, daemon: Daemon, ctx: ActionContext): Promise<readonly Change[]> {
  const { host } = ctx;
  if (host.kind === 'embedded') return [];
  const [row] = await client.query(
    'SELECT @@bind_address, @@skip_name_resolve;',
    'look where MariaDB listens',
    ctx.signal,
  );
  const [address, skips] = row ?? [];
  const path = join(daemon.includeDir, FILE);
  const options = { mode: 0o644 };
  const written = await host.files.matches(path, CONTENT, options);
  // An address that somebody chose is theirs; the loopback of the package is nobody's choice.
  const loopback =
    address === 'localhost' || address === '::1' || (isIP(address ?? '') === 4 && address?.startsWith('127.') === true);
  const good = !loopback && skips === '1';
  if (good && (written || !loopback)) return [];
  return [
    {
      summary: `let MariaDB listen on all addresses and restart it (it listened on ${address ?? '?'})`,
      run: async () => {
        const before = await host.files.read(path);
        await host.files.write(path, CONTENT, options);
        try {
          await daemon.restart();
        } catch (cause) {
          if (before === undefined) await host.files.remove(path);
          else await host.files.write(path, before, options);
          await daemon.restart();
          throw cause;
        }
      },
    },
  ];
}
