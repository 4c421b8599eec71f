// SQL of the mariadb engine: pure text, every name and value quoted. Names come from site ids only.
import { createHash } from 'node:crypto';
import { databaseName, databaseUser } from '../../../../shared/database-name.ts';
import { AegirError } from '../../../../shared/error.ts';
import { isId } from '../../../../shared/id.ts';

export interface SiteNames {
  readonly database: string;
  readonly user: string;
}

/** Only names derived from a site id are ours: nothing else is read, changed or dropped. */
export function namesOf(siteId: string): SiteNames {
  if (!isId('site', siteId)) throw new AegirError('invalid_argument', 'cannot name a database: that is no site id');
  return { database: databaseName(siteId), user: databaseUser(siteId) };
}

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

export function account(user: string, host: string): string {
  if (!/^(?:localhost|[0-9.]{7,15}|[0-9a-fA-F:.]{2,45})$/.test(host)) {
    throw new AegirError('invalid_argument', `cannot allow ${JSON.stringify(host)}: it is no IP address`);
  }
  identifier(user);
  return `${literal(user)}@${literal(host)}`;
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

/** The hash, not the password: the server's own logs must not hold it either. */
export function createAccount(user: string, host: string, hash: string): string {
  return `CREATE USER IF NOT EXISTS ${account(user, host)} IDENTIFIED VIA mysql_native_password USING ${literal(hash)};`;
}

export function setPassword(user: string, host: string, hash: string): string {
  return `ALTER USER ${account(user, host)} IDENTIFIED VIA mysql_native_password USING ${literal(hash)};`;
}

/** Takes whatever was granted by hand, and gives the one database. */
export function resetGrants(database: string, user: string, host: string): string {
  return `REVOKE ALL PRIVILEGES, GRANT OPTION FROM ${account(user, host)};\n${grant(database, user, host)}`;
}

export function grant(database: string, user: string, host: string): string {
  return `GRANT ALL PRIVILEGES ON ${grantPattern(database)}.* TO ${account(user, host)};`;
}

export function dropAccount(user: string, host: string): string {
  return `DROP USER IF EXISTS ${account(user, host)};`;
}

export function dropDatabase(database: string): string {
  return `DROP DATABASE IF EXISTS ${identifier(database)};`;
}

/** One row: default character set and collation; none when the database is not there. */
export function selectDatabase(database: string): string {
  return `SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name = ${literal(database)};`;
}

/** A row for each account of the user: host, plugin, hash. */
export function selectAccounts(user: string): string {
  return `SELECT host, JSON_VALUE(priv, '$.plugin'), JSON_VALUE(priv, '$.authentication_string') FROM mysql.global_priv WHERE user = ${literal(user)} ORDER BY host;`;
}

/** What SHOW GRANTS must say, and nothing else. */
export function wantedGrants(database: string, user: string, host: string): readonly string[] {
  return [`USAGE ON *.*`, `ALL PRIVILEGES ON ${grantPattern(database)}.*`].map(
    (what) => `GRANT ${what} TO \`${user}\`@\`${host}\``,
  );
}

export function showGrants(user: string, host: string): string {
  return `SHOW GRANTS FOR ${account(user, host)};`;
}
