// Lets other servers reach MariaDB or MySQL: Debian's and the vendors' packages listen on the loopback only.
import { join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { Daemon } from '../../../host/host.ts';
import type { ActionContext, Change } from '../../engine.ts';
import { isLoopback } from '../loopback.ts';
import type { Client } from './client.ts';
import type { Dialect } from './dialect.ts';

const OPTIONS = { mode: 0o644 };
const listenText = (section: string): string => `# Written by Aegir: web servers on other hosts connect here.
[${section}]
bind-address = *
`;
const BY_ADDRESS = `# Users are allowed by address, so names need no look-up.
skip-name-resolve
`;

export async function planListening(
  client: Client,
  daemon: Daemon,
  dialect: Dialect,
  ctx: ActionContext,
): Promise<readonly Change[]> {
  if (ctx.host.kind === 'embedded') return [];
  const { address, names } = await look(client, dialect, ctx);
  // An address that somebody chose is theirs; the loopback of the package is nobody's choice.
  if (!isLoopback(address)) return [];
  return [
    {
      summary: `let ${dialect.label} listen on all addresses and restart it (it listened on ${address})`,
      run: (change) => {
        const text = listenText(dialect.section);
        return listen(client, daemon, dialect, names ? text : `${text}${BY_ADDRESS}`, change);
      },
    },
  ];
}

async function listen(
  client: Client,
  daemon: Daemon,
  dialect: Dialect,
  content: string,
  ctx: ActionContext,
): Promise<void> {
  const { files } = ctx.host;
  const path = join(daemon.includeDir, dialect.listenFile);
  const before = await files.read(path);
  const putBack = (): Promise<void> => (before === undefined ? files.remove(path) : files.write(path, before, OPTIONS));
  await files.write(path, content, OPTIONS);
  const configured = await configuredAddress(daemon, ctx);
  if (configured !== undefined && isLoopback(configured)) {
    // Every restart would be for nothing.
    await putBack();
    throw overruled(dialect, `${configured} is configured`, path);
  }
  try {
    await daemon.restart();
  } catch (cause) {
    await putBack();
    await daemon.restart();
    throw cause;
  }
  const { address } = await look(client, dialect, ctx);
  if (isLoopback(address)) throw overruled(dialect, `it listens on ${address}`, path);
}

function overruled({ label }: Dialect, how: string, path: string): AegirError {
  return new AegirError(
    'failed_precondition',
    `cannot let ${label} listen on all addresses: ${how} though ${path} says otherwise; ` +
      'remove bind-address from the file that is read after it, or from the arguments of the service',
  );
}

/** What its files say together, the last one counting; undefined when they say nothing. */
async function configuredAddress(daemon: Daemon, ctx: ActionContext): Promise<string | undefined> {
  const { stdout } = await ctx.host.run({ argv: [daemon.program, ...daemon.configArguments, '--print-defaults'] });
  return [...stdout.matchAll(/(?:^|\s)--bind[-_]address=(\S*)/g)].at(-1)?.[1];
}

interface Listening {
  readonly address: string;
  /** Whether somebody has accounts for host names, which only look-ups can match. */
  readonly names: boolean;
}

async function look(client: Client, dialect: Dialect, ctx: ActionContext): Promise<Listening> {
  const [row] = await client.query(dialect.look, `look where ${dialect.label} listens`, ctx.signal);
  const [address, names] = row ?? [];
  return { address: address ?? '', names: names === '1' };
}
