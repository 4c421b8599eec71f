// Sites; the table of all their host names, which makes names and aliases unique together; and the highest user number of
// any, which outlives them.
import { AegirError } from '../../shared/error.ts';
import type { Access } from './access.ts';
import { flag, integer, json, nullable, text } from './codec.ts';
import type { Db } from './database.ts';
import type { SiteRecord } from './model.ts';
import { createRecordTable } from './record-table.ts';
import type { Table } from './store.ts';

/** A bound on one statement's parameters, far above any site. */
const MOST_NAMES = 1000;

/** The setting that remembers it, so that none is given again. */
export const HIGHEST_UID = 'highest-site-uid';

export function createSiteTable(access: Access): Table<SiteRecord> {
  return createRecordTable<SiteRecord>(access, {
    table: 'sites',
    noun: 'site',
    codecs: {
      id: text(),
      name: text(),
      aliases: json(),
      state: text(),
      platformId: text(),
      bindings: json(),
      clientId: nullable(text()),
      title: text(),
      locale: text(),
      profile: text(),
      adminName: text(),
      adminMail: text(),
      database: text(),
      dbUser: text(),
      dbPasswordSecret: nullable(text()),
      saltSecret: text(),
      createdAt: integer(),
      web: json(),
      certificate: nullable(json()),
      issuing: nullable(json()),
      cronSeconds: nullable(integer()),
      uid: integer(),
      auth: nullable(json()),
      snippet: nullable(json()),
      moving: nullable(json()),
      spread: nullable(json()),
      dnsByHand: flag(),
      proven: nullable(json()),
    },
    uniques: [
      { index: 'sites_uid', columns: 'sites.uid', why: ({ uid }) => `another site has the user number ${uid}` },
    ],
    afterWrite: async (db, site) => {
      await saveNames(db, site);
      await saveHighest(db, site.uid);
    },
  });
}

/** Graph writes run one at a time, so what is free when looked at is free when taken. */
async function saveNames(db: Db, site: SiteRecord): Promise<void> {
  const refuse = (code: 'already_exists' | 'invalid_argument', why: string): never => {
    throw new AegirError(code, `cannot save site ${site.id}: ${why}`);
  };
  const names = [site.name, ...site.aliases];
  if (names.length > MOST_NAMES) refuse('invalid_argument', `it has more than ${MOST_NAMES} names`);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) refuse('already_exists', `the name ${twice} is given twice`);

  const found = await db.selectFrom('siteNames').selectAll().where('name', 'in', names).execute();
  const taken = found.find((row) => row.siteId !== site.id);
  if (taken) refuse('already_exists', `the name ${taken.name} belongs to site ${taken.siteId}; choose another`);

  await db.deleteFrom('siteNames').where('siteId', '=', site.id).where('name', 'not in', names).execute();
  const kept = new Set(found.map((row) => row.name));
  const fresh = names.filter((name) => !kept.has(name)).map((name) => ({ name, siteId: site.id }));
  if (fresh.length > 0) await db.insertInto('siteNames').values(fresh).execute();
}

async function saveHighest(db: Db, uid: number): Promise<void> {
  if (uid === 0) return;
  const row = await db.selectFrom('settings').select('value').where('id', '=', HIGHEST_UID).executeTakeFirst();
  if (Number(row?.value ?? 0) >= uid) return;
  const value = String(uid);
  await db
    .insertInto('settings')
    .values({ id: HIGHEST_UID, value })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ value }))
    .execute();
}
