// MySQL 8.0 and later, as far as it is not MariaDB. Debian has no MySQL server: this is tested by what its manual says of
// its words, not by a server.
import type { Dialect } from './dialect.ts';
import { hasLimits, parsed } from './drift.ts';
import { cachingSha2, isCachingSha2Of } from './sha-crypt.ts';
import { account, literal } from './sql.ts';

const PLUGIN = 'caching_sha2_password';

/**
 * The server never sees the password; its slow log does not see the hash, which its general log masks by itself. Whatever
 * the account had beyond its password (MySQL manual, "ALTER USER Statement") is as a new one's.
 */
function unlogged(sql: string): string {
  return `SET SESSION sql_log_off = 1, long_query_time = 31536000;\n${sql}\nSET SESSION sql_log_off = DEFAULT, long_query_time = DEFAULT;`;
}

function identified(password: string): string {
  return `IDENTIFIED WITH ${PLUGIN} AS ${literal(cachingSha2(password))}`;
}

function always(locked: boolean): string {
  return `ACCOUNT ${locked ? 'LOCK' : 'UNLOCK'} PASSWORD EXPIRE NEVER FAILED_LOGIN_ATTEMPTS 0 PASSWORD_LOCK_TIME 0`;
}
const UNLIMITED =
  'WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0';

function createAccount(user: string, host: string, password: string, locked: boolean): string {
  const who = account(user, host);
  return unlogged(
    `DROP USER IF EXISTS ${who};\nCREATE USER ${who} ${identified(password)} REQUIRE NONE ${always(locked)};`,
  );
}

function alterAccount(user: string, host: string, password: string, locked: boolean): string {
  const who = account(user, host);
  return unlogged(
    `ALTER USER ${who} ${identified(password)} REQUIRE NONE ${UNLIMITED} ${always(locked)};\nALTER USER ${who} DISCARD OLD PASSWORD;`,
  );
}

/** A salt may be any bytes: in hexadecimal (MySQL manual, "Grant Tables"). */
function selectAccounts(user: string): string {
  return `SELECT host, JSON_OBJECT('plugin', plugin, 'authentication_string', HEX(authentication_string),
  'ssl_type', CAST(ssl_type AS CHAR), 'account_locked', account_locked = 'Y', 'password_expired', password_expired = 'Y',
  'password_lifetime', password_lifetime, 'max_questions', max_questions, 'max_updates', max_updates,
  'max_connections', max_connections, 'max_user_connections', max_user_connections, 'attributes', User_attributes)
FROM mysql.user WHERE user = ${literal(user)} ORDER BY host;`;
}

interface Properties {
  readonly plugin?: unknown;
  readonly authentication_string?: unknown;
  readonly ssl_type?: unknown;
  readonly account_locked?: unknown;
  readonly password_expired?: unknown;
  readonly password_lifetime?: unknown;
  /** Its JSON; other factors and second passwords stand in it. */
  readonly attributes?: Readonly<Record<string, unknown>> | null;
}

function accountDrift(json: string, password: string, locked: boolean): readonly string[] {
  const found = parsed<Properties>(json);
  if (found === undefined) return ['its properties could not be read'];
  const attributes = found.attributes ?? {};
  const isLocked = found.account_locked === true || found.account_locked === 1;
  const cases: readonly [boolean, string][] = [
    [found.plugin !== PLUGIN, 'it logged in by other means'],
    [found.plugin === PLUGIN && !isCachingSha2Of(String(found.authentication_string), password), 'it was another one'],
    ['additional_password' in attributes, 'there was another way to log in'],
    [(found.ssl_type ?? '') !== '', 'TLS was demanded'],
    [hasLimits(found), 'it had limits'],
    [isLocked && !locked, 'it was locked'],
    [!isLocked && locked, 'it was not locked'],
    ['Password_locking' in attributes && hasLocking(attributes['Password_locking']), 'it would lock itself'],
    [found.password_expired === true || found.password_expired === 1, 'it was expired'],
    [found.password_lifetime !== 0, 'it would expire'],
  ];
  return cases.flatMap(([drifted, why]) => (drifted ? [why] : []));
}

function hasLocking(locking: unknown): boolean {
  const { failed_login_attempts: attempts = 0 } = (locking ?? {}) as { failed_login_attempts?: unknown };
  return Number(attempts) !== 0;
}

/** The list of processes has HOST:PORT; of a pattern these are all connections of the user, which log in again. */
function selectEnding(user: string, host: string): string {
  const from = /^[0-9a-z.:]+$/.test(host)
    ? ` AND (host = ${literal(host)} OR SUBSTRING_INDEX(host, ':', LENGTH(host) - LENGTH(REPLACE(host, ':', ''))) = ${literal(host)})`
    : '';
  return `SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE user = ${literal(user)}${from};`;
}

/** As MariaDB's look, from MySQL's own table: auth_socket is its way in by the socket. */
const LOOK = `SELECT @@bind_address, EXISTS(SELECT 1 FROM mysql.user
WHERE host REGEXP '[g-z]|[a-f].*[.]|[.].*[a-f]' AND user NOT REGEXP '^[sd]_[0-9a-z]{16}$'
AND NOT (host = 'localhost' AND (plugin = 'auth_socket' OR account_locked = 'Y')));`;

export const MYSQL: Dialect = {
  name: 'mysql',
  label: 'MySQL',
  serverPackage: 'mysql-server',
  socketPlugin: 'auth_socket',
  section: 'mysqld',
  // The package's own mysqld.cnf sets bind-address, and the last one counts.
  listenFile: 'zz-aegir.cnf',
  // oracle.com/us/assets/lifetime-support-technology, read in 2026.
  endOfLife: { '5.7': '2023-10-31', '8.0': '2026-04-30', '8.4': '2032-04-30' },
  selectAccounts,
  accountDrift,
  createAccount,
  alterAccount,
  dropAccount: (user, host) => `DROP USER IF EXISTS ${account(user, host)};`,
  selectEnding,
  look: LOOK,
  dump: {
    program: 'mysqldump',
    package: 'mysql-client',
    arguments: ['--set-gtid-purged=OFF', '--column-statistics=0'],
    position: [],
  },
  restoreSession: 'SET SESSION max_execution_time = 0',
};
