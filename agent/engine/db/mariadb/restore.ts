// A site's database from a dump, by the server's own client, which takes SQL and nothing else. A dump is what somebody
// had in his database, and may try anything: it runs as an account that has rights on this database alone.
import { AegirError } from '../../../../shared/error.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Daemon } from '../../../host/host.ts';
import type { Serial } from '../../../host/serial.ts';
import type { ActionContext } from '../../engine.ts';
import { framed, HEAD } from '../dump-frame.ts';
import { namesOf } from '../site-names.ts';
import { deputySql, ending, nobodys } from './accounts.ts';
import { createClient } from './client.ts';
import type { Dialect } from './dialect.ts';
import { HAS_TRUSTED } from './dump-text.ts';
import { failure, overreaching, trusted } from './failure.ts';
import { requireUnprepared } from './prepared.ts';
import { emptyDatabase, forgetFollowing, TRUSTS } from './sql.ts';
import { MOST_PACKET, withWidePackets } from './wide-packets.ts';

/** To drop a database with many large tables takes its time. */
const DROP_MS = 1_800_000;

export async function restoreDatabase(
  daemon: Daemon,
  dialect: Dialect,
  { siteId, database }: DbSpec,
  dump: AsyncIterable<Uint8Array>,
  ctx: ActionContext,
  inTurn: Serial,
): Promise<void> {
  const doing = `restore database ${database}`;
  const { host } = ctx;
  const { deputy } = namesOf(siteId);
  const client = createClient(host, daemon, dialect, DROP_MS);
  const source = framed(dump, database);
  // Before anything is lost.
  const head = await source.head();
  if (head.startsWith(HEAD + HAS_TRUSTED)) {
    const [row] = await client.query(TRUSTS, doing, ctx.signal);
    if (row?.[0] !== '1') {
      await source.leave();
      const { code, text } = trusted(dialect.label);
      throw new AegirError(code, `cannot ${doing}: ${text}`, { untouched: true });
    }
  }
  await requireUnprepared(client, dialect, database, doing, ctx).catch(async (thrown: unknown) => {
    await source.leave();
    throw thrown;
  });
  const password = nobodys();
  await ending(client, doing, deputy, deputySql(dialect, siteId, password, false)).run(ctx);
  let failed = false;
  try {
    // What it followed was the former content.
    if (dialect.name === 'mariadb') await client.query(forgetFollowing(siteId), doing, ctx.signal);
    await client.query(emptyDatabase(database), doing, ctx.signal);
    ctx.failpoint('agent.db.emptied');
    const program = host.stream({
      argv: [
        dialect.name,
        '--no-defaults',
        '--batch',
        // Neither its own commands nor files of this host are for who wrote the dump.
        '--binary-mode',
        '--loose-sandbox',
        '--disable-local-infile',
        '--skip-reconnect',
        '--default-character-set=utf8mb4',
        `--max-allowed-packet=${MOST_PACKET}`,
        `--init-command=${dialect.restoreSession}`,
        `--socket=${daemon.socket}`,
        `--user=${deputy}`,
        database,
      ],
      env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', MYSQL_PWD: password },
      input: source.all(),
      signal: ctx.signal,
      failed: ({ stderr }) => restoreFailure(stderr, doing, daemon, dialect, ctx),
    });
    const run = async () => {
      // What it answers is of no interest.
      for await (const _answer of program);
    };
    await withWidePackets({ client, inTurn, user: deputy, doing }, run, ctx);
    source.assertWhole();
    ctx.failpoint('agent.db.restored');
  } catch (thrown) {
    failed = true;
    throw thrown;
  } finally {
    // Whatever became of it, and whoever learned or changed the password. After a cancellation too.
    const after = { ...ctx, signal: new AbortController().signal };
    const close = ending(client, `close ${deputy}`, deputy, deputySql(dialect, siteId, nobodys(), true));
    await close.run(after).catch((thrown: Error) => {
      // What went wrong first is what matters; verify closes it.
      if (!failed) throw thrown;
      ctx.log('warn', thrown.message);
    });
  }
}

function restoreFailure(
  stderr: string,
  doing: string,
  daemon: Daemon,
  dialect: Dialect,
  ctx: ActionContext,
): AegirError {
  // Of the account that was just made: somebody changed it.
  const denied = /ERROR (?:1044|1045|1142|1143|1227|1370|1419|1698) /.exec(stderr);
  if (denied === null) {
    const syntax = /ERROR 1064 /.test(stderr);
    const error = failure(stderr, doing, daemon, ctx.host, dialect);
    if (!syntax) return error;
    const text = `cannot ${doing}: ${dialect.label} does not understand something in it; it may be of a newer version`;
    return new AegirError('failed_precondition', text, { cause: error.cause });
  }
  const cause = stderr.slice(-4096);
  const { code, text } = / 1419 /.test(denied[0]) ? trusted(dialect.label) : overreaching(dialect.label);
  return new AegirError(code, `cannot ${doing}: ${text}`, { cause });
}
