// From where sites are let in: writes their lines in pg_hba.conf, has the server check them before it reads them, and puts
// the file back when it does not take them. One change at a time.
import { dirname, resolve } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { Daemon } from '../../../host/host.ts';
import type { Serial } from '../../../host/serial.ts';
import type { ActionContext, Change } from '../../engine.ts';
import type { Client } from './client.ts';
import { type Allowed, type Hba, hbaDrift, linesOf, parseHba, renderHba } from './hba.ts';
import { connectedElsewhere } from './look.ts';
import { endConnections, isElsewhere } from './sql.ts';

const HBA_FILE = `SELECT to_json(current_setting('hba_file'));`;
/** Numbers of lines that the server cannot read. */
const WRONG = `SELECT to_json(line_number) FROM pg_hba_file_rules WHERE error IS NOT NULL ORDER BY line_number;`;

export interface Access {
  readonly client: Client;
  readonly daemon: Daemon;
  /** One per server. */
  readonly serial: Serial;
}

export async function planAccess(access: Access, allowed: Allowed, ctx: ActionContext): Promise<readonly Change[]> {
  const { user, database, from } = allowed;
  const { hba } = await read(access, ctx);
  const places = from.map((each) => (each === 'localhost' ? 'the socket' : each)).join(', ') || 'nowhere';
  const found = hba.sites.get(user) ?? [];
  const why = [
    ...hbaDrift(found, allowed),
    ...(hba.first || found.length === 0 ? [] : ['rules of others stood before them']),
    ...(hba.changing.has(user) ? ['it was not certain that the server had read them'] : []),
  ];
  const ending = endConnections(user, isElsewhere(database, from));
  if (why.length > 0) {
    const summary = `let ${user} in from ${places} only (its lines in pg_hba.conf: ${why.join('; ')})`;
    const run = async (change: ActionContext): Promise<void> => {
      await write(access, user, linesOf(allowed), change);
      // A server asks who may come in at log-in only.
      await access.client.query(ending, summary, { signal: change.signal });
    };
    return [{ summary, run }];
  }
  const strangers = await connectedElsewhere(access.client, user, database, from, ctx);
  if (strangers.length === 0) return [];
  const summary = `end connections of ${user} from ${strangers.join(', ')}, which no web server of the site is`;
  const run = async (change: ActionContext): Promise<void> => {
    await access.client.query(ending, summary, { signal: change.signal });
  };
  return [{ summary, run }];
}

export async function planNoAccess(access: Access, user: string, ctx: ActionContext): Promise<readonly Change[]> {
  const { hba } = await read(access, ctx);
  if (!hba.sites.has(user) && !hba.changing.has(user)) return [];
  return [
    { summary: `take the lines of ${user} out of pg_hba.conf`, run: (change) => write(access, user, [], change) },
  ];
}

/** Lets a user in by the socket alone, until planNoAccess. */
export function openSocket(access: Access, user: string, database: string, ctx: ActionContext): Promise<void> {
  return write(access, user, linesOf({ user, database, from: ['localhost'] }), ctx);
}

/** Numbers of the lines of pg_hba.conf that the server cannot read. */
export async function wrongLines({ client }: Pick<Access, 'client'>, ctx: ActionContext): Promise<readonly number[]> {
  return (await client.query(WRONG, 'look at pg_hba.conf', { signal: ctx.signal })) as readonly number[];
}

interface Read {
  readonly path: string;
  readonly text: string;
  readonly hba: Hba;
}

async function read({ client }: Access, ctx: ActionContext): Promise<Read> {
  const [file] = await client.query(HBA_FILE, 'look where pg_hba.conf is', { signal: ctx.signal });
  const named = String(file);
  const link = await ctx.host.files.readLink(named);
  const path = link === undefined ? named : resolve(dirname(named), link);
  const text = await ctx.host.files.read(path);
  if (text !== undefined) return { path, text, hba: parseHba(text) };
  throw new AegirError('failed_precondition', `cannot let sites in: PostgreSQL's ${path} is missing; bring it back`);
}

async function write(access: Access, user: string, lines: readonly string[], ctx: ActionContext): Promise<void> {
  await access.serial(async () => {
    const { files } = ctx.host;
    const { path, text, hba } = await read(access, ctx);
    const options = { mode: 0o640, owner: access.daemon.user, group: access.daemon.user };
    await assertReadable(access, path, ctx);
    const put = (changing: ReadonlySet<string>): Promise<void> =>
      files.write(path, renderHba(hba, user, lines, changing), options);
    try {
      await put(new Set([...hba.changing, user]));
      await assertReadable(access, path, ctx);
      ctx.failpoint('agent.db.access-written');
      await access.daemon.reload();
    } catch (cause) {
      await files.write(path, text, options);
      await access.daemon.reload().catch((again: Error) => ctx.log('warn', again.message));
      throw cause;
    }
    ctx.failpoint('agent.db.access-loaded');
    // The same rules: there is nothing to read again, and whatever was uncertain is read.
    await put(new Set());
  });
}

/** A server that finds one line wrong goes on with all of its former ones. */
async function assertReadable(access: Access, path: string, ctx: ActionContext): Promise<void> {
  const wrong = await wrongLines(access, ctx);
  if (wrong.length === 0) return;
  const lines = `${wrong.length === 1 ? 'line' : 'lines'} ${wrong.join(', ')}`;
  throw new AegirError(
    'failed_precondition',
    `cannot let sites in: PostgreSQL does not understand ${lines} of ${path}; mend that, the view pg_hba_file_rules says what is wrong`,
  );
}
