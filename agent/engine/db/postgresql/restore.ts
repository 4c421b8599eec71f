// A site's database from a dump: made anew, empty, and filled with the rights of the site's own role. A dump is what
// somebody had in his database, and may try anything: it runs as a role that may be the site's and nobody else, and psql,
// told to be restricted, takes SQL and none of its own commands.
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../../engine.ts';
import { framed } from '../dump-frame.ts';
import type { Access } from './access.ts';
import { failure } from './client.ts';
import { asDeputy, deputyArguments, NOBODY } from './deputy.ts';
import { lookAtDatabase } from './look.ts';
import { createDatabase, dropDatabase } from './sql.ts';

/** Indexes are built where the dump has come to its end: one of a large table takes hours, and says nothing. */
const INDEX_MS = 6 * 3_600_000;

export async function restoreDatabase(
  access: Access,
  spec: DbSpec,
  dump: AsyncIterable<Uint8Array>,
  ctx: ActionContext,
): Promise<void> {
  const { database, user } = spec;
  const doing = `restore database ${database}`;
  const source = framed(dump, database);
  // Before anything is lost.
  await source.head();
  const there = await lookAtDatabase(access.client, database, ctx);
  const program = join(dirname(access.daemon.program), 'psql');
  const anew = `${there === undefined ? '' : dropDatabase(database, there.isTemplate)}\n${createDatabase(database, user)}`;
  await access.client.query(anew, doing, { signal: ctx.signal });
  ctx.failpoint('agent.db.emptied');
  const filling = asDeputy(access, spec, ctx, (env) =>
    ctx.host.stream({
      argv: [
        program,
        '--no-psqlrc',
        '--quiet',
        '--set=ON_ERROR_STOP=1',
        '--set=VERBOSITY=sqlstate',
        ...deputyArguments(access, spec),
      ],
      env,
      ...NOBODY,
      input: restricted(source.all()),
      idleMs: INDEX_MS,
      signal: ctx.signal,
      failed: ({ code, stderr }) => restoreFailure(code, stderr, doing, access, ctx),
    }),
  );
  // What it answers is of no interest.
  for await (const _answer of filling);
  source.assertWhole();
  ctx.failpoint('agent.db.restored');
}

/** Nobody who wrote the dump knows the word that ends it (PostgreSQL manual, "psql", \restrict). */
async function* restricted(dump: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const key = randomBytes(24).toString('hex');
  yield Buffer.from(`\\restrict ${key}\n`);
  yield* dump;
  yield Buffer.from(`\\unrestrict ${key}\n`);
}

function restoreFailure(code: number, stderr: string, doing: string, access: Access, ctx: ActionContext): AegirError {
  const cause = stderr.slice(-4096);
  const because = (text: string, how: 'failed_precondition' | 'permission_denied' = 'failed_precondition') =>
    new AegirError(how, `cannot ${doing}: ${text}`, { cause });
  if (/invalid command \\restrict/.test(stderr)) {
    return because('its psql is too old to keep commands of its own out of a dump; update postgresql-client');
  }
  const state = /ERROR:\s+([0-9A-Z]{5})$/m.exec(stderr)?.[1] ?? '';
  if (state === '42501') {
    const text =
      'something in it needs rights that a site does not have, for example an extension that only a superuser may make';
    return because(text, 'permission_denied');
  }
  if (['42601', '42704', '0A000', '58P01', '42710', '42883', '22023'].includes(state)) {
    return because(
      'PostgreSQL does not know something in it; it may be of a newer version, or of an extension that is not there',
    );
  }
  if (/restricted mode|backslash commands are restricted/.test(stderr))
    return because('it has commands of psql, which no dump has');
  return failure(code, stderr, doing, access.daemon, ctx.host);
}
