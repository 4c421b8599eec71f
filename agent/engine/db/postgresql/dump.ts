// A site's database as SQL, by the server's own program, with the rights of the site's own role.
import { dirname, join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext, DumpFacts } from '../../engine.ts';
import { HEAD, TAIL } from '../dump-frame.ts';
import type { Access } from './access.ts';
import { failure } from './client.ts';
import { asDeputy, deputyArguments, NOBODY } from './deputy.ts';
import { cleaned, settingSql } from './dump-text.ts';
import { SETTINGS } from './look.ts';
import { openSlot } from './slot.ts';

const ARGUMENTS = [
  '--format=plain',
  '--encoding=UTF8',
  '--no-owner',
  '--no-privileges',
  '--no-publications',
  '--no-subscriptions',
  '--no-security-labels',
  '--no-tablespaces',
  // Somebody changes a table for hours.
  '--lock-wait-timeout=60s',
];

export async function* dumpDatabase(
  access: Access,
  spec: DbSpec,
  ctx: ActionContext,
  tell: (facts: DumpFacts) => void,
): AsyncGenerator<Uint8Array> {
  const { database } = spec;
  const doing = `dump database ${database}`;
  const { client, daemon } = access;
  const { host } = ctx;
  const program = join(dirname(daemon.program), 'pg_dump');
  if ((await host.which(program)) === undefined) {
    const text = `cannot ${doing}: there is no ${program} on this server; install the client of that version`;
    throw new AegirError('failed_precondition', text);
  }
  const settings = await client.query(SETTINGS, doing, { database, signal: ctx.signal });
  yield Buffer.from(HEAD);
  const slot = await openSlot(access, spec, ctx);
  const snapshot = slot === undefined ? [] : [`--snapshot=${slot.snapshot}`];
  try {
    yield* asDeputy(access, spec, ctx, (env) =>
      cleaned(
        host.stream({
          argv: [program, ...ARGUMENTS, ...snapshot, ...deputyArguments(access, spec)],
          env,
          ...NOBODY,
          signal: ctx.signal,
          failed: ({ code, stderr }) => dumpFailure(code, stderr, doing, access, ctx),
        }),
      ),
    );
  } finally {
    await slot?.release();
  }
  yield Buffer.from(settings.map((each) => settingSql(String(each)) ?? '').join(''));
  tell({ position: slot?.name ?? '' });
  yield Buffer.from(TAIL);
}

/** pg_dump gives no SQLSTATE, but the server's words. */
function dumpFailure(code: number, stderr: string, doing: string, access: Access, ctx: ActionContext): AegirError {
  const cause = stderr.slice(-4096);
  if (/permission denied for/.test(stderr)) {
    const text = `cannot ${doing}: something in it belongs to somebody else; verify the site, which gives it back`;
    return new AegirError('failed_precondition', text, { cause });
  }
  if (/lock timeout|deadlock detected|could not serialize|does not exist/.test(stderr)) {
    return new AegirError('aborted', `cannot ${doing}: its tables were changed meanwhile; try again`, { cause });
  }
  return failure(code, stderr, doing, access.daemon, ctx.host);
}
