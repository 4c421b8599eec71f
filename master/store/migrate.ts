// Brings a database to this program's schema: all missing migrations in one transaction, so that there is no half way.
import { sql } from 'kysely';
import { AegirError } from '../../shared/error.ts';
import { LOCK_GRAPH } from './access.ts';
import type { DatabaseKind, Db } from './database.ts';
import { columnTypes, type Migration } from './migrations/migrations.ts';

/** May be called by several masters at once: one does it, the others find it done. Refuses a newer schema. */
export async function migrate(db: Db, kind: DatabaseKind, migrations: readonly Migration[]): Promise<void> {
  const known = migrations.at(-1)?.version ?? 0;
  await db.transaction().execute(async (trx) => {
    if (kind === 'postgresql') {
      await sql`select pg_advisory_xact_lock(${sql.lit(LOCK_GRAPH)}, 0)`.execute(trx);
      await sql`set local statement_timeout = '10min'`.execute(trx);
    }
    await sql`create table if not exists schema_versions (
      version bigint primary key, name text not null, applied_at bigint not null)`.execute(trx);
    const row = await trx
      .selectFrom('schemaVersions')
      .select(['version', 'name'])
      .orderBy('version', 'desc')
      .limit(1)
      .executeTakeFirst();
    const at = row?.version ?? 0;
    if (at > known) {
      throw new AegirError(
        'failed_precondition',
        `cannot open the store: its schema has version ${at} (${row?.name}), but this master knows only up to version ` +
          `${known}; start the newer master that was here before, or restore a backup of the store`,
      );
    }
    for (const { version, name, up } of migrations) {
      if (version <= at) continue;
      for (const statement of up(columnTypes(kind))) await sql.raw(statement).execute(trx);
      await trx.insertInto('schemaVersions').values({ version, name, appliedAt: Date.now() }).execute();
    }
  });
}
