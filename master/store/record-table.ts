// The one pattern of servers, services, sites and the like: get, find, insert, update, delete by id.
import type { Kysely } from 'kysely';
import { AegirError } from '../../shared/error.ts';
import type { Access } from './access.ts';
import { type Cell, type Codecs, decodeRow, encodeRow } from './codec.ts';
import type { Db, RecordTableName } from './database.ts';
import { type UniqueIndex, violates } from './database-error.ts';
import type { Table } from './store.ts';

/** find() answers all or says that it can't; the graph needs all. */
const MOST_ROWS = 200_000;

export interface UniqueRule<R> extends UniqueIndex {
  /** Why the record, or a patch of it, is refused. */
  why(values: Partial<R>): string;
}

export interface RecordTableSpec<R> {
  readonly table: RecordTableName;
  /** As people call one record. */
  readonly noun: string;
  readonly codecs: Codecs<R>;
  readonly uniques: readonly UniqueRule<R>[];
  /** Runs in the same transaction as every insert and update, with the record as it is now. */
  afterWrite?(db: Db, record: R): Promise<void>;
}

type AnyDb = Kysely<Record<string, Record<string, Cell>>>;

export function createRecordTable<R extends { readonly id: string }>(
  access: Access,
  spec: RecordTableSpec<R>,
): Table<R> {
  const { table, noun, codecs } = spec;
  const any = (db: Db): AnyDb => db as unknown as AnyDb;

  async function checked<T>(doing: string, values: Partial<R>, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (thrown) {
      const rule = spec.uniques.find((unique) => violates(thrown, unique));
      const why = rule?.why(values) ?? (violates(thrown, primaryKey(table)) ? 'that id is taken' : undefined);
      if (why === undefined) throw thrown;
      throw new AegirError('already_exists', `cannot ${doing}: ${why}`, { cause: thrown });
    }
  }

  return {
    get: (id) =>
      access.read(`read ${noun} ${id}`, async (db) => {
        const row = await any(db).selectFrom(table).selectAll().where('id', '=', id).executeTakeFirst();
        return row && decodeRow(codecs, row);
      }),

    find: (where = {}) =>
      access.read(`read ${table}`, async (db) => {
        let query = any(db).selectFrom(table).selectAll();
        for (const [column, cell] of Object.entries(encodeRow(codecs, where))) {
          if (!codecs[column as keyof R].scalar) {
            throw new AegirError('invalid_argument', `cannot read ${table}: ${column} is no field to search by`);
          }
          query = cell === null ? query.where(column, 'is', null) : query.where(column, '=', cell);
        }
        const rows = await query
          .orderBy('id')
          .limit(MOST_ROWS + 1)
          .execute();
        if (rows.length > MOST_ROWS) {
          throw new AegirError('resource_exhausted', `cannot read ${table}: there are more than ${MOST_ROWS}`);
        }
        return rows.map((row) => decodeRow(codecs, row));
      }),

    insert: (record) => {
      const doing = `save ${noun} ${record.id}`;
      return access.writeGraph(doing, async (db) => {
        const row = encodeRow(codecs, record);
        await checked(doing, record, () => any(db).insertInto(table).values(row).execute());
        await spec.afterWrite?.(db, record);
      });
    },

    update: (id, patch) => {
      const doing = `change ${noun} ${id}`;
      return access.writeGraph(doing, async (db) => {
        const values = patch as Partial<R>;
        const { id: given, ...row } = encodeRow(codecs, values);
        if (given !== undefined) throw new AegirError('invalid_argument', `cannot ${doing}: ids never change`);
        const now =
          Object.keys(row).length === 0
            ? await any(db).selectFrom(table).selectAll().where('id', '=', id).executeTakeFirst()
            : await checked(doing, values, () =>
                any(db).updateTable(table).set(row).where('id', '=', id).returningAll().executeTakeFirst(),
              );
        if (!now) throw new AegirError('not_found', `cannot ${doing}: there is none`);
        await spec.afterWrite?.(db, decodeRow(codecs, now));
      });
    },

    delete: (id) =>
      access.writeGraph(`delete ${noun} ${id}`, async (db) => {
        const result = await any(db).deleteFrom(table).where('id', '=', id).executeTakeFirst();
        return result.numDeletedRows > 0n;
      }),
  };
}

function primaryKey(table: RecordTableName): UniqueIndex {
  return { index: `${table}_pkey`, columns: `${table}.id` };
}
