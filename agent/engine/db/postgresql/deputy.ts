// Who dumps and restores a site's database: a role that may be the site's own role and nobody else, lets in its holder by
// the socket alone, and is there for the time of it. What a superuser may would be what a dump may: SET ROLE can be undone.
import { randomBytes } from 'node:crypto';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { StreamCommand } from '../../../host/host.ts';
import { psql } from '../../../host/postgresql-reload.ts';
import type { ActionContext, Change } from '../../engine.ts';
import { namesOf } from '../site-names.ts';
import { type Access, openSocket, planNoAccess } from './access.ts';
import { lookAtDatabase, lookAtRole } from './look.ts';
import { scramVerifier } from './scram.ts';
import { createDeputy, dropDeputy } from './sql.ts';
import { statement } from './statement.ts';

/** What of it is there, by the death of an agent. */
export async function planNoDeputy(access: Access, siteId: string, ctx: ActionContext): Promise<readonly Change[]> {
  const { database, deputy } = namesOf(siteId);
  const role = await lookAtRole(access.client, deputy, database, ctx);
  const there = role === undefined ? undefined : await lookAtDatabase(access.client, database, ctx);
  const where = there?.allowsConnections === true && there.limit !== -2 ? database : undefined;
  return [
    ...(role === undefined
      ? []
      : [statement(access.client, `drop user ${deputy}, which a restore left`, dropDeputy(deputy), where)]),
    ...(await planNoAccess(access, deputy, ctx)),
  ];
}

/** Runs use with the password of a deputy, which is gone afterwards, also when it was cancelled. */
export async function* asDeputy<T>(
  access: Access,
  spec: DbSpec,
  ctx: ActionContext,
  use: (environment: Readonly<Record<string, string>>) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const { database, user, deputy } = namesOf(spec.siteId);
  const password = randomBytes(24).toString('base64url');
  const closing = { ...ctx, signal: new AbortController().signal };
  const close = async (): Promise<void> => {
    for (const change of await planNoDeputy(access, spec.siteId, closing)) await change.run(closing);
  };
  await close();
  let failed = false;
  try {
    const doing = `let the agent into database ${database} as ${user}`;
    const sql = createDeputy(deputy, user, database, scramVerifier(password));
    await access.client.query(sql, doing, { signal: ctx.signal });
    await openSocket(access, deputy, database, ctx);
    yield* use({ PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', PGPASSWORD: password });
  } catch (thrown) {
    failed = true;
    throw thrown;
  } finally {
    await close().catch((thrown: Error) => {
      // What went wrong first is what matters; verify drops it.
      if (!failed) throw thrown;
      ctx.log('warn', thrown.message);
    });
  }
}

/** Arguments of a client program that logs in as it. */
export function deputyArguments({ daemon }: Access, spec: DbSpec): readonly string[] {
  const { database, deputy } = namesOf(spec.siteId);
  const { program, socket } = daemon;
  return psql({ program, socket, user: deputy }, database).filter((each) =>
    /^--(?:no-password|host|port|username|dbname)\b/.test(each),
  );
}

/** Nobody's programs read what a site wrote: they need none of the rights of who administers the server. */
export const NOBODY: Pick<StreamCommand, 'user'> = { user: 'nobody' };
