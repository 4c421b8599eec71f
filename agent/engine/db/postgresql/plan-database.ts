// What brings a site's database to its spec, and what is in it back to the site.
import { AegirError } from '../../../../shared/error.ts';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext, Change } from '../../engine.ts';
import { lostDatabase } from '../lost.ts';
import type { Client } from './client.ts';
import { openingDrift, rightsDrift, schemaDrift } from './drift.ts';
import { type FoundDatabase, lookInside, takeOver } from './look.ts';
import { closeDatabase, createDatabase, dropDatabase, ENCODING, openDatabase, openSchema, ownDatabase } from './sql.ts';
import { statement } from './statement.ts';

export function planDatabase(client: Client, spec: DbSpec, found: FoundDatabase | undefined): readonly Change[] {
  const { database, user } = spec;
  // Somebody's DROP DATABASE was interrupted: nothing but another one can be done with it.
  const halfDropped = found?.limit === -2;
  if (found === undefined || halfDropped) {
    if (spec.holdsContent) throw lostDatabase(database, 'PostgreSQL');
    const first = halfDropped ? `${dropDatabase(database, false)}\n` : '';
    return [statement(client, `create database ${database}`, `${first}${createDatabase(database, user)}`)];
  }
  if (found.encoding !== ENCODING) {
    throw new AegirError(
      'failed_precondition',
      `cannot use database ${database}: its encoding is ${found.encoding}, and cannot be changed; ` +
        `dump it, make it anew with ENCODING '${ENCODING}' and OWNER ${user}, and put the dump back`,
    );
  }
  const changes: Change[] = [];
  const plan = (doing: string, why: readonly string[], sql: string): void => {
    if (why.length > 0) changes.push(statement(client, `${doing} (${why.join(', ')})`, sql));
  };
  const opening = openingDrift(found);
  if (opening.length > 0) {
    const open = statement(
      client,
      `open database ${database} to its user (${opening.join(', ')})`,
      openDatabase(database),
    );
    const run = async (ctx: ActionContext): Promise<void> => {
      await open.run(ctx);
      // Nobody could look into it before.
      if (!found.allowsConnections) for (const change of await planInside(client, spec, ctx)) await change.run(ctx);
    };
    changes.push({ ...open, run });
  }
  const owner = found.owner === user ? [] : [`it was ${JSON.stringify(found.owner)}`];
  plan(`make ${user} the owner of database ${database}`, owner, ownDatabase(database, user));
  plan(
    `restore the rights on database ${database} to its user only`,
    rightsDrift(found),
    closeDatabase(database, user),
  );
  return changes;
}

/** For a database that takes connections. */
export async function planInside(client: Client, spec: DbSpec, ctx: ActionContext): Promise<readonly Change[]> {
  const { database, user } = spec;
  const found = await lookInside(client, user, database, ctx);
  const changes: Change[] = [];
  const why = schemaDrift(found);
  if (why.length > 0) {
    const summary = `restore the rights on the schema public of ${database} to its user only (${why.join(', ')})`;
    changes.push(statement(client, summary, openSchema(user), database));
  }
  if (found.foreign > 0) {
    const what = found.foreign === 1 ? '1 thing' : `${found.foreign} things`;
    const summary = `give ${what} in database ${database} to its user (a superuser owned them)`;
    changes.push(statement(client, summary, `${takeOver(user)}\n\\gexec`, database));
  }
  return changes;
}
