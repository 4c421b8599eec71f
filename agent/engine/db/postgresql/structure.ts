// What of a database a follower would not get, and what tells that its structure changed: changes of rows travel, those
// of tables do not. Pure text; each SQL is run in the site's database.
import { identifier, literal } from './sql.ts';

const NOT_SYSTEM = `nspname !~ '^pg_' AND nspname <> 'information_schema'`;
/** What an extension brought is there with the extension. */
const isOwn = (catalog: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_depend WHERE classid = '${catalog}'::regclass AND objid = ${oid} AND deptype = 'e')`;

const RELATIONS = `FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE ${NOT_SYSTEM} AND ${isOwn('pg_class', 'c.oid')}`;
const TABLES = `${RELATIONS} AND relkind = 'r' AND relpersistence = 'p'`;

/** Rows of it cannot be told apart by a key; their old values go along, where they are asked to. */
const IS_BARE = `relreplident <> 'f' AND (relreplident = 'n'
  OR relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)
  OR relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisreplident))`;
const HAS_NO_KEY = `NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND (indisprimary OR indisreplident))`;
/** Of a table without a key every value is compared, and these cannot be. */
const INCOMPARABLE = `'json', 'json[]', 'xml', 'xml[]', 'jsonpath', 'point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle'`;

/**
 * Changes with whatever changes tables, indexes, columns, functions, types or settings, though it is put back; not with
 * what changes rows, TRUNCATE included, or with what the server does by itself.
 */
const STAMP = `md5(concat_ws(';',
  (SELECT string_agg(concat_ws(',', c.oid, relname, nspname, relkind, relpersistence, relowner), ' ' ORDER BY c.oid) ${RELATIONS}),
  (SELECT string_agg(concat_ws(',', attrelid, attnum, a.xmin), ' ' ORDER BY attrelid, attnum) FROM pg_attribute a
    WHERE attnum > 0 AND attrelid IN (SELECT c.oid ${RELATIONS} AND relkind IN ('r', 'p', 'v', 'c'))),
  (SELECT string_agg(concat_ws(',', d.oid, d.xmin), ' ' ORDER BY d.oid) FROM pg_attrdef d WHERE adrelid IN (SELECT c.oid ${RELATIONS})),
  (SELECT string_agg(concat_ws(',', o.oid, o.xmin), ' ' ORDER BY o.oid) FROM pg_constraint o JOIN pg_namespace n ON n.oid = connamespace WHERE ${NOT_SYSTEM}),
  (SELECT string_agg(concat_ws(',', t.oid, t.xmin), ' ' ORDER BY t.oid) FROM pg_trigger t WHERE tgrelid IN (SELECT c.oid ${RELATIONS})),
  (SELECT string_agg(concat_ws(',', r.oid, r.xmin), ' ' ORDER BY r.oid) FROM pg_rewrite r WHERE ev_class IN (SELECT c.oid ${RELATIONS})),
  (SELECT string_agg(concat_ws(',', p.oid, p.xmin), ' ' ORDER BY p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE ${NOT_SYSTEM}),
  (SELECT string_agg(concat_ws(',', t.oid, t.xmin), ' ' ORDER BY t.oid) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE ${NOT_SYSTEM} AND typtype <> 'c'),
  (SELECT string_agg(concat_ws(',', e.oid, e.xmin), ' ' ORDER BY e.oid) FROM pg_enum e),
  (SELECT string_agg(concat_ws(',', s.seqrelid, s.xmin), ' ' ORDER BY s.seqrelid) FROM pg_sequence s JOIN pg_class c ON c.oid = seqrelid WHERE relpersistence <> 't'),
  (SELECT string_agg(concat_ws(',', e.oid, e.xmin), ' ' ORDER BY e.oid) FROM pg_extension e),
  (SELECT string_agg(concat_ws(',', p.oid, p.xmin), ' ' ORDER BY p.oid) FROM pg_policy p),
  (SELECT string_agg(setconfig::text, ' ' ORDER BY setrole) FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))))`;

export interface Structure {
  /** 16 hexadecimal digits. */
  readonly stamp: string;
  readonly unlogged: number;
  readonly views: number;
  readonly objects: number;
  readonly triggers: number;
  readonly guarded: number;
  readonly incomparable: number;
  /** Tables that the publication lacks; all when there is none. */
  readonly unpublished: number;
  readonly published: boolean;
}

export function selectStructure(publication: string): string {
  const name = literal(publication);
  return `SELECT json_build_object('stamp', left(${STAMP}, 16),
  'unlogged', (SELECT count(*) ${RELATIONS} AND relkind IN ('r', 'p') AND relpersistence = 'u'),
  'views', (SELECT count(*) ${RELATIONS} AND relkind = 'm'),
  'objects', (SELECT count(*) FROM pg_largeobject_metadata),
  'triggers', (SELECT count(*) FROM pg_trigger WHERE tgenabled IN ('A', 'R') AND tgrelid IN (SELECT c.oid ${RELATIONS})),
  'guarded', (SELECT count(*) ${TABLES} AND relforcerowsecurity),
  'incomparable', (SELECT count(*) ${TABLES} AND ${HAS_NO_KEY} AND EXISTS (SELECT FROM pg_attribute
    WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND format_type(atttypid, NULL) IN (${INCOMPARABLE}))),
  'unpublished', (SELECT count(*) ${TABLES} AND NOT EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = prpubid
    WHERE prrelid = c.oid AND pubname = ${name})),
  'published', EXISTS (SELECT FROM pg_publication WHERE pubname = ${name}));`;
}

/** What publishes a table says of it when its rows can no longer be told apart: from then on by all their values. */
function notedIn(name: string): string {
  return `coalesce(obj_description((SELECT oid FROM pg_publication WHERE pubname = ${name}), 'pg_publication')::jsonb, '{}')`;
}
const BY_ALL_VALUES = `SELECT format('ALTER TABLE ONLY %s REPLICA IDENTITY FULL', c.oid::regclass)`;

/**
 * A site that drops the key of a table that is published could neither change nor delete its rows any more. What watches
 * over that does so in the transaction of whoever drops it, and fails nobody. It is said to be plpgsql's, which it needs, so
 * that it is in no dump.
 */
function guard(publication: string): string {
  const [id, name] = [identifier(publication), literal(publication)];
  const bare = `${TABLES} AND ${IS_BARE} AND EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = prpubid
      WHERE prrelid = c.oid AND pubname = ${name})`;
  return `DO $make$ BEGIN IF EXISTS (SELECT FROM pg_event_trigger WHERE evtname = ${name}) THEN RETURN; END IF;
CREATE SCHEMA ${id};
CREATE FUNCTION ${id}.guard() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $guard$
DECLARE statement text; BEGIN
  IF TG_TAG = 'COMMENT' THEN RETURN; END IF;
  FOR statement IN SELECT format('COMMENT ON PUBLICATION %I IS %L', ${name}, ${notedIn(name)} || noted)
    FROM (SELECT jsonb_object_agg(c.oid, relreplident) AS noted ${bare}) AS n WHERE noted IS NOT NULL
  LOOP EXECUTE statement; END LOOP;
  FOR statement IN ${BY_ALL_VALUES} ${bare}
  LOOP EXECUTE statement; END LOOP;
EXCEPTION WHEN OTHERS THEN NULL; END $guard$;
CREATE EVENT TRIGGER ${id} ON ddl_command_end EXECUTE FUNCTION ${id}.guard();
ALTER EXTENSION plpgsql ADD SCHEMA ${id};
ALTER EXTENSION plpgsql ADD FUNCTION ${id}.guard();
ALTER EXTENSION plpgsql ADD EVENT TRIGGER ${id};
END $make$;
`;
}

function unguard(publication: string): string {
  const [id, name] = [identifier(publication), literal(publication)];
  return `DO $drop$ BEGIN IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = ${name}) THEN RETURN; END IF;
ALTER EXTENSION plpgsql DROP EVENT TRIGGER ${id};
ALTER EXTENSION plpgsql DROP FUNCTION ${id}.guard();
ALTER EXTENSION plpgsql DROP SCHEMA ${id};
DROP EVENT TRIGGER ${id};
DROP SCHEMA ${id} CASCADE;
END $drop$;
`;
}

/**
 * Has the publication hold every table. In steps that each take little: what waits for a table holds no other. The
 * publication's comment says of which tables the replica identity was another one; a site may write to all of it meanwhile.
 */
export function publishTables(publication: string): string {
  const name = literal(publication);
  const noted = notedIn(name);
  return `SELECT format('CREATE PUBLICATION %I', ${name}) WHERE NOT EXISTS (SELECT FROM pg_publication WHERE pubname = ${name})
\\gexec
SELECT format('COMMENT ON PUBLICATION %I IS %L', ${name}, ${noted} || coalesce((SELECT jsonb_object_agg(c.oid, relreplident) ${TABLES} AND ${IS_BARE}), '{}'))
\\gexec
${BY_ALL_VALUES} ${TABLES} AND ${IS_BARE}
\\gexec
${guard(publication)}SELECT format('ALTER PUBLICATION %I SET TABLE %s', ${name}, string_agg('ONLY ' || c.oid::regclass, ', ' ORDER BY c.oid)) ${TABLES} AND NOT (${IS_BARE}) HAVING count(*) > 0
\\gexec
`;
}

/** Puts the replica identities back as the comment says, and drops it. */
export function unpublish(publication: string): string {
  const name = literal(publication);
  const noted = `jsonb_each_text((SELECT obj_description(oid, 'pg_publication')::jsonb FROM pg_publication WHERE pubname = ${name}))`;
  return `SELECT format('ALTER PUBLICATION %I DROP TABLE %s', ${name}, string_agg('ONLY ' || prrelid::regclass, ', '))
  FROM pg_publication_rel WHERE prpubid = (SELECT oid FROM pg_publication WHERE pubname = ${name}) HAVING count(*) > 0
\\gexec
SELECT format('ALTER TABLE ONLY %s REPLICA IDENTITY %s', c.oid::regclass, CASE value WHEN 'n' THEN 'NOTHING' ELSE 'DEFAULT' END)
  FROM ${noted} JOIN pg_class c ON c.oid = key::oid WHERE relreplident = 'f'
\\gexec
${unguard(publication)}SELECT format('DROP PUBLICATION %I', ${name}) WHERE EXISTS (SELECT FROM pg_publication WHERE pubname = ${name})
\\gexec
`;
}

/** On the side that followed: what a dump of the leader brought along of what it had for the time of it. */
export const FORGET_IDENTITIES = `SELECT format('ALTER TABLE ONLY %s REPLICA IDENTITY DEFAULT', c.oid::regclass) ${TABLES} AND relreplident = 'f' AND ${HAS_NO_KEY}
\\gexec
`;

/** Where each sequence stands, as a line of JSON. */
export const SEQUENCES = `SELECT format('SELECT json_build_object(''schema'', %L, ''name'', %L, ''last'', last_value::text, ''called'', is_called) FROM %s', nspname, relname, c.oid::regclass)
  ${RELATIONS} AND relkind = 'S' AND relpersistence <> 't'
\\gexec
`;

export interface Sequence {
  readonly schema: string;
  readonly name: string;
  readonly last: string;
  readonly called: boolean;
}

/** Sets those that are there; answers how many. */
export function setSequences(sequences: readonly Sequence[]): string {
  return `SELECT count(setval(c.oid::regclass, s.last::bigint, s.called))
  FROM json_to_recordset(${literal(JSON.stringify(sequences))}) AS s (schema text, name text, last text, called boolean)
  JOIN pg_namespace n ON nspname = s.schema JOIN pg_class c ON relnamespace = n.oid AND relname = s.name AND relkind = 'S';`;
}
