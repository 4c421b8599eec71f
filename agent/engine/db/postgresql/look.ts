// What the server says of a site: its database, its role, what is in the database, who is connected. Reads only.
import type { ActionContext } from '../../engine.ts';
import type { Client } from './client.ts';
import { isElsewhere, literal } from './sql.ts';

export interface FoundDatabase {
  readonly encoding: string;
  readonly owner: string;
  readonly allowsConnections: boolean;
  readonly isTemplate: boolean;
  /** -1 for none; -2 when somebody was interrupted dropping it. */
  readonly limit: number;
  readonly publicRights: boolean;
  readonly ownerRights: boolean;
}

export interface Membership {
  readonly role: string;
  /** Who gave it; null when nobody knows any more. */
  readonly by: string | null;
}

export interface FoundRole {
  readonly login: boolean;
  readonly inherit: boolean;
  readonly superuser: boolean;
  readonly createdb: boolean;
  readonly createrole: boolean;
  readonly replication: boolean;
  readonly bypassrls: boolean;
  readonly limit: number;
  readonly expires: boolean;
  readonly connected: boolean;
  /** What the server keeps of its password; a secret. */
  readonly verifier: string | null;
  readonly memberOf: readonly Membership[];
  /** Databases in which it has or owns anything, but for its own; '' stands for what belongs to no database. */
  readonly elsewhere: readonly string[];
}

export interface FoundContents {
  readonly publicCreates: boolean;
  /** The role may make nothing in the schema public. */
  readonly schemaClosed: boolean;
  /** Things in it that are a superuser's, as a dump leaves them that was put back by one. */
  readonly foreign: number;
}

/** Names of databases with a name of ours. */
export const DATABASES = `SELECT to_json(datname::text) FROM pg_database WHERE datname ~ '^site_[0-9a-z]{16}$' ORDER BY datname;`;

/** Tables and views of a site, in its own database, and what all of it takes on the disk. */
export const CONTENT = `SELECT json_build_object('bytes', pg_database_size(current_database()), 'tables', (SELECT count(*)
  FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
  AND nspname !~ '^pg_' AND nspname <> 'information_schema'));`;

/** Settings of its own database, as NAME=VALUE. */
export const SETTINGS = `SELECT to_json(setting) FROM pg_db_role_setting, unnest(setconfig) AS setting
  WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY setting COLLATE "C";`;

/** The same with the bytes that each takes on the disk. */
export const SIZES = `SELECT json_build_object('name', datname::text, 'bytes', pg_database_size(oid))
  FROM pg_database WHERE datname ~ '^site_[0-9a-z]{16}$' ORDER BY datname;`;

export async function lookAtDatabase(client: Client, database: string, ctx: ActionContext) {
  const acl = `aclexplode(coalesce(datacl, acldefault('d', datdba)))`;
  const sql = `SELECT json_build_object('encoding', pg_encoding_to_char(encoding), 'owner', pg_get_userbyid(datdba),
  'allowsConnections', datallowconn, 'isTemplate', datistemplate, 'limit', datconnlimit,
  'publicRights', EXISTS (SELECT FROM ${acl} WHERE grantee = 0),
  'ownerRights', (SELECT count(DISTINCT privilege_type) = 3 FROM ${acl} WHERE grantee = datdba))
FROM pg_database WHERE datname = ${literal(database)};`;
  return one<FoundDatabase>(client, sql, `look at database ${database}`, ctx);
}

export async function lookAtRole(client: Client, role: string, database: string, ctx: ActionContext) {
  const own = `(SELECT oid FROM pg_database WHERE datname = ${literal(database)})`;
  const sql = `SELECT json_build_object('login', rolcanlogin, 'inherit', rolinherit, 'superuser', rolsuper,
  'createdb', rolcreatedb, 'createrole', rolcreaterole, 'replication', rolreplication, 'bypassrls', rolbypassrls,
  'limit', rolconnlimit, 'expires', rolvaliduntil IS NOT NULL AND rolvaliduntil <> 'infinity', 'verifier', rolpassword,
  'connected', EXISTS (SELECT FROM pg_stat_activity WHERE usesysid = a.oid AND backend_type = 'client backend'),
  'memberOf', ARRAY (SELECT json_build_object('role', pg_get_userbyid(roleid), 'by', g.rolname)
    FROM pg_auth_members LEFT JOIN pg_authid g ON g.oid = grantor
    WHERE member = a.oid ORDER BY pg_get_userbyid(roleid), g.rolname),
  'elsewhere', ARRAY (SELECT DISTINCT coalesce(datname::text, '')
    FROM pg_shdepend LEFT JOIN pg_database d ON d.oid = dbid
    WHERE refclassid = 'pg_authid'::regclass AND refobjid = a.oid AND dbid IS DISTINCT FROM ${own}
    AND NOT (classid = 'pg_database'::regclass AND objid IS NOT DISTINCT FROM ${own})
    AND NOT classid = 'pg_auth_members'::regclass ORDER BY 1))
FROM pg_authid a WHERE rolname = ${literal(role)};`;
  return one<FoundRole>(client, sql, `look at user ${role}`, ctx);
}

const NOT_SYSTEM = `nspname !~ '^pg_' AND nspname <> 'information_schema'`;
const isForeign = (owner: string): string => `(SELECT rolsuper FROM pg_authid WHERE oid = ${owner})`;
/** What an extension brought, and what goes with its owner by itself. */
const isDependent = (catalog: string, oid: string, which: string): string =>
  `EXISTS (SELECT FROM pg_depend WHERE classid = '${catalog}'::regclass AND objid = ${oid} AND (deptype = 'e' OR ${which}))`;

/** Statements that give to the role what in its database is a superuser's; extensions and what they brought stay. */
export function takeOver(role: string): string {
  const to = (kind: string, what: string): string =>
    `format('ALTER ${kind} %s OWNER TO %I', ${what}, ${literal(role)})`;
  return `SELECT ${to('SCHEMA', 'quote_ident(nspname)')} AS sql FROM pg_namespace n
  WHERE ${NOT_SYSTEM} AND nspname <> 'public' AND ${isForeign('nspowner')} AND NOT ${isDependent('pg_namespace', 'n.oid', 'false')}
UNION ALL SELECT ${to('TABLE', 'c.oid::regclass')} FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ${NOT_SYSTEM} AND ${isForeign('relowner')}
  AND NOT ${isDependent('pg_class', 'c.oid', "refclassid = 'pg_class'::regclass AND refobjsubid > 0 AND relkind = 'S'")}
UNION ALL SELECT ${to('ROUTINE', 'p.oid::regprocedure')} FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
  WHERE NOT prosecdef AND ${NOT_SYSTEM} AND ${isForeign('proowner')} AND NOT ${isDependent('pg_proc', 'p.oid', "deptype = 'i'")}
UNION ALL SELECT ${to('TYPE', 't.oid::regtype')} FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
  WHERE (typtype IN ('d', 'e', 'r') OR (typtype = 'c' AND (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c'))
  AND ${NOT_SYSTEM} AND ${isForeign('typowner')} AND NOT ${isDependent('pg_type', 't.oid', "deptype = 'i'")}`;
}

export async function lookInside(client: Client, role: string, database: string, ctx: ActionContext) {
  const sql = `SELECT json_build_object('foreign', (SELECT count(*) FROM (${takeOver(role)}) AS f),
  'publicCreates', coalesce((SELECT has_schema_privilege('public', oid, 'CREATE') FROM pg_namespace WHERE nspname = 'public'), false),
  'schemaClosed', EXISTS (SELECT FROM pg_namespace n WHERE nspname = 'public' AND NOT EXISTS (SELECT FROM pg_roles r
    WHERE rolname IN ('pg_database_owner', ${literal(role)})
    AND has_schema_privilege(r.oid, n.oid, 'CREATE') AND has_schema_privilege(r.oid, n.oid, 'USAGE'))));`;
  const [found] = await client.query(sql, `look into database ${database}`, { database, signal: ctx.signal });
  return found as FoundContents;
}

/** Where the role is connected from though it must not be: addresses, or "the socket". */
export async function connectedElsewhere(
  client: Client,
  role: string,
  database: string,
  from: readonly string[],
  ctx: ActionContext,
): Promise<readonly string[]> {
  const sql = `SELECT to_json(place) FROM (SELECT DISTINCT coalesce(host(client_addr), 'the socket') FROM pg_stat_activity
WHERE usename = ${literal(role)} AND backend_type = 'client backend' AND (${isElsewhere(database, from)})) AS f (place) ORDER BY place;`;
  return (await client.query(sql, `look who is connected as ${role}`, { signal: ctx.signal })) as readonly string[];
}

async function one<T>(client: Client, sql: string, doing: string, ctx: ActionContext): Promise<T | undefined> {
  const [found] = await client.query(sql, doing, { signal: ctx.signal });
  return found as T | undefined;
}
