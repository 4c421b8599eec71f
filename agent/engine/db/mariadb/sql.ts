// SQL of the mariadb engine: pure text, every name and value quoted. Names come from site ids only.
import { createHash } from 'node:crypto';
import { AegirError } from '../../../../shared/error.ts';
import { idBody } from '../../../../shared/id.ts';

/** A quoted identifier (MariaDB manual, "Identifier Names"). */
export function identifier(name: string): string {
  if (!/^[A-Za-z0-9_]{1,64}$/.test(name)) {
    throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(name)} in SQL: it is no plain name`);
  }
  return `\`${name}\``;
}

/** A quoted string, whatever the server's sql_mode: no backslash passes, quotes are doubled. */
export function literal(text: string): string {
  if (/[\\\0\n\r\x1a]/.test(text))
    throw new AegirError('invalid_argument', 'cannot quote a text with backslashes or control characters for SQL');
  return `'${text.replaceAll("'", "''")}'`;
}

/** In GRANT a database name is a pattern: _ and % stand for others unless escaped. Written for any sql_mode but NO_BACKSLASH_ESCAPES in identifiers, where it does not matter. */
export function grantPattern(database: string): string {
  identifier(database);
  return `\`${database.replaceAll('_', '\\_')}\``;
}

/**
 * An account, as found or as wanted. Its host is data: anybody may have made one from '%' or from a name, and it must be
 * possible to drop that. In backquotes nothing but the backquote is special, whatever the server's sql_mode.
 */
export function account(user: string, host: string): string {
  if (host.includes('\0')) {
    throw new AegirError('invalid_argument', `cannot write ${JSON.stringify(host)} in SQL: it has a NUL character`);
  }
  return `${identifier(user)}@${backquoted(host)}`;
}

function backquoted(text: string): string {
  return `\`${text.replaceAll('`', '``')}\``;
}

/** mysql_native_password: '*' and SHA1(SHA1(password)) in upper-case hex. */
export function nativeHash(password: string): string {
  const once = createHash('sha1').update(password).digest();
  return `*${createHash('sha1').update(once).digest('hex').toUpperCase()}`;
}

export const CHARSET = 'utf8mb4';
export const COLLATION = 'utf8mb4_unicode_ci';

export function createDatabase(database: string): string {
  return `CREATE DATABASE IF NOT EXISTS ${identifier(database)} CHARACTER SET ${CHARSET} COLLATE ${COLLATION};`;
}

export function alterDatabase(database: string): string {
  return `ALTER DATABASE ${identifier(database)} CHARACTER SET ${CHARSET} COLLATE ${COLLATION};`;
}

/** Whatever the account had before is gone. */
export function createAccount(user: string, host: string, hash: string, locked: boolean): string {
  return unlogged(`CREATE OR REPLACE USER ${account(user, host)} ${identified(hash)} REQUIRE NONE ${always(locked)};`);
}

/** In place, so that connections that are made meanwhile find it with all its rights. */
export function alterAccount(user: string, host: string, hash: string, locked: boolean): string {
  return unlogged(`ALTER USER ${account(user, host)} ${identified(hash)} REQUIRE NONE ${UNLIMITED} ${always(locked)};`);
}

/**
 * The server never sees the password, and its general and slow logs do not see the hash either. The binary log holds the
 * hash: replicas need it.
 */
export function unlogged(sql: string): string {
  return `SET SESSION sql_log_off = 1, slow_query_log = 0;\n${sql}\nSET SESSION sql_log_off = DEFAULT, slow_query_log = DEFAULT;`;
}

function identified(hash: string): string {
  return `IDENTIFIED VIA mysql_native_password USING ${literal(hash)}`;
}

const UNLIMITED =
  'WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0 MAX_STATEMENT_TIME 0';
/** A site cannot answer a demand for a new password. */
function always(locked: boolean): string {
  return `ACCOUNT ${locked ? 'LOCK' : 'UNLOCK'} PASSWORD EXPIRE NEVER`;
}

export function grant(database: string, user: string, host: string): string {
  return `GRANT ALL PRIVILEGES ON ${grantPattern(database)}.* TO ${account(user, host)};`;
}

/** Who is in already would stay: a server checks accounts at log-in only. Of '%' these are all connections of the user. */
export function dropAccount(user: string, host: string): string {
  return `DROP USER IF EXISTS ${account(user, host)};\nKILL USER ${account(user, host)};`;
}

/**
 * Fails rather than waiting for others' locks: what still waits there when nobody waits for the answer any more would drop it
 * later, whatever became of the site.
 */
export function dropDatabase(database: string): string {
  return `${waitingAtMost(LOCK_SECONDS)}\nDROP DATABASE IF EXISTS ${identifier(database)};`;
}

/** One after the other, less than any query has. */
const LOCK_SECONDS = 20;

/** For locks of the server, and then for those of InnoDB. */
export function waitingAtMost(seconds: number): string {
  return `SET SESSION lock_wait_timeout = ${seconds}, innodb_lock_wait_timeout = ${seconds};`;
}

export function selectTables(database: string): string {
  return `SELECT table_name FROM information_schema.tables
    WHERE BINARY table_schema = ${literal(database)} AND table_type = 'BASE TABLE';`;
}

/** Statements that end all connections of a user. */
export function selectConnections(user: string): string {
  return `SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE user = ${literal(user)};`;
}

/** One row: tables and views, bytes of the tables and their indexes. */
export function selectContent(database: string): string {
  return `SELECT COUNT(*), COALESCE(SUM(IF(table_type LIKE '%VIEW', 0, data_length + index_length)), 0)
    FROM information_schema.tables WHERE BINARY table_schema = ${literal(database)};`;
}

/** One row: whether the binary log is on, tables that know no transactions, triggers and functions, tables with FLOATs. */
export function selectDumpable(database: string): string {
  const name = literal(database);
  return `SELECT @@log_bin,
    (SELECT COUNT(*) FROM information_schema.tables t LEFT JOIN information_schema.engines e ON e.engine = t.engine
      WHERE BINARY table_schema = ${name} AND table_type <> 'VIEW' AND COALESCE(transactions, 'NO') <> 'YES'),
    (SELECT COUNT(*) FROM information_schema.triggers WHERE BINARY trigger_schema = ${name})
      + (SELECT COUNT(*) FROM information_schema.routines WHERE BINARY routine_schema = ${name} AND routine_type = 'FUNCTION'),
    (SELECT COUNT(DISTINCT table_name) FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
      WHERE BINARY table_schema = ${name} AND table_type <> 'VIEW' AND column_type REGEXP '^float( |$)');`;
}

export const MOST_KEYLESS_ROWS = 10_000;

/** Rows for tables in which a changed row is looked for among so many: about as many as the server believes there are. */
export function selectKeyless(database: string): string {
  return `SELECT table_name FROM information_schema.tables t WHERE BINARY table_schema = ${literal(database)}
    AND table_type = 'BASE TABLE' AND table_rows > ${MOST_KEYLESS_ROWS} AND NOT EXISTS
    (SELECT 1 FROM information_schema.statistics s WHERE s.table_schema = t.table_schema AND s.table_name = t.table_name);`;
}

/** One row: whether ordinary accounts may make triggers and functions. */
export const TRUSTS = 'SELECT @@log_bin = 0 OR @@log_bin_trust_function_creators;';

/** What was in it is gone; rights on it stay. */
export function emptyDatabase(database: string): string {
  return `${dropDatabase(database)}\n${createDatabase(database)}`;
}

/** One row: default character set and collation; none when the database is not there. */
export function selectDatabase(database: string): string {
  return `SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE BINARY schema_name = ${literal(database)};`;
}

/** Databases with a name of ours; their names matter by case, which a plain comparison ignores. */
export function selectDatabases(): string {
  return `SELECT schema_name FROM information_schema.schemata WHERE BINARY schema_name REGEXP '^site_[0-9a-z]{16}$';`;
}

/** A row for each database of ours: name, bytes of its tables and their indexes. */
export function selectSizes(): string {
  return `SELECT s.schema_name, COALESCE(SUM(t.data_length + t.index_length), 0) FROM information_schema.schemata s
    LEFT JOIN information_schema.tables t ON t.table_schema = s.schema_name AND t.table_type = 'BASE TABLE'
    WHERE BINARY s.schema_name REGEXP '^site_[0-9a-z]{16}$' GROUP BY s.schema_name;`;
}

/** A row for each account of the user: host, properties as JSON. */
export function selectAccounts(user: string): string {
  return `SELECT host, priv FROM mysql.global_priv WHERE user = ${literal(user)} ORDER BY host;`;
}

/** What SHOW GRANTS must say, and nothing else. */
export function wantedGrants(database: string, user: string, host: string): readonly string[] {
  return [`USAGE ON *.*`, `ALL PRIVILEGES ON ${grantPattern(database)}.*`].map(
    (what) => `GRANT ${what} TO ${account(user, host)}`,
  );
}

export function showGrants(user: string, host: string): string {
  return `SHOW GRANTS FOR ${account(user, host)};`;
}

/** A table of one row, how far a database follows: in the server's own schema no site's user sees it, and no dump has it. */
export function followTable(siteId: string): string {
  return `mysql.${identifier(followName(siteId))}`;
}

function followName(siteId: string): string {
  return `aegir_follows_${idBody(siteId)}`;
}

/** A row when there is such a table. */
export function selectFollowing(siteId: string): string {
  return `SELECT 1 FROM information_schema.tables WHERE table_schema = 'mysql' AND table_name = ${literal(followName(siteId))};`;
}

export function forgetFollowing(siteId: string): string {
  return `DROP TABLE IF EXISTS ${followTable(siteId)};`;
}
