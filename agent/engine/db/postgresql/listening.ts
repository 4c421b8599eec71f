// Lets other servers reach PostgreSQL: Debian's listens on the loopback only.
import { join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { Daemon } from '../../../host/host.ts';
import type { ActionContext, Change } from '../../engine.ts';
import { isLoopback } from '../loopback.ts';
import type { Client } from './client.ts';

const FILE = '90-aegir.conf';
const OPTIONS = { mode: 0o644 };
const LISTEN = `# Written by Aegir: web servers on other hosts connect here, as far as pg_hba.conf lets them in.
listen_addresses = '*'
`;

export async function planListening(client: Client, daemon: Daemon, ctx: ActionContext): Promise<readonly Change[]> {
  if (ctx.host.kind === 'embedded') return [];
  const addresses = await listens(client, ctx);
  // Addresses that somebody chose are theirs, none at all too; the loopback of the package is nobody's choice.
  if (addresses === '' || !isLoopback(addresses)) return [];
  return [
    {
      summary: `let PostgreSQL listen on all addresses and restart it (it listened on ${addresses})`,
      run: (change) => listen(client, daemon, change),
    },
  ];
}

async function listen(client: Client, daemon: Daemon, ctx: ActionContext): Promise<void> {
  const { files } = ctx.host;
  const path = join(daemon.includeDir, FILE);
  const before = await files.read(path);
  const putBack = (): Promise<void> => (before === undefined ? files.remove(path) : files.write(path, before, OPTIONS));
  await files.write(path, LISTEN, OPTIONS);
  const configured = await configuredAddresses(daemon, ctx);
  if (configured === undefined || isLoopback(configured)) {
    // Every restart would be for nothing.
    await putBack();
    throw overruled(
      configured === undefined ? 'its configuration cannot be read' : `${configured} is configured`,
      path,
    );
  }
  try {
    await daemon.restart();
  } catch (cause) {
    await putBack();
    await daemon.restart();
    throw cause;
  }
  const addresses = await listens(client, ctx);
  if (isLoopback(addresses)) throw overruled(`it listens on ${addresses}`, path);
}

function overruled(how: string, path: string): AegirError {
  return new AegirError(
    'failed_precondition',
    `cannot let PostgreSQL listen on all addresses: ${how} though ${path} says otherwise; see to it that postgresql.conf ` +
      'includes that directory at its end, and undo ALTER SYSTEM SET listen_addresses',
  );
}

/** What its files say together; undefined when they cannot be read. */
async function configuredAddresses(daemon: Daemon, ctx: ActionContext): Promise<string | undefined> {
  const argv = [daemon.program, '-C', 'listen_addresses', ...daemon.configArguments] as const;
  const { code, stdout } = await ctx.host.run({ argv, user: daemon.user });
  return code === 0 ? stdout.trim() : undefined;
}

async function listens(client: Client, ctx: ActionContext): Promise<string> {
  const sql = `SELECT to_json(current_setting('listen_addresses'));`;
  const [addresses] = await client.query(sql, 'look where PostgreSQL listens', { signal: ctx.signal });
  return String(addresses);
}
