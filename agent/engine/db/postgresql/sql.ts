// SQL of the postgresql engine: pure text, every name and value quoted. Names come from site ids only, but for those of
// other people's databases, which are quoted as data.
import { AegirError } from '../../../../shared/error.ts';
import type { Membership } from './look.ts';

/** A quoted identifier of ours. */
export function identifier(name: string): string {
  if (!/^[a-z0-9_]{1,63}$/.test(name)) {
    throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(name)} in SQL: it is no plain name`);
  }
  return `"${name}"`;
}

/** A quoted string; standard_conforming_strings is on, and no psql variable begins in quotes. */
export function literal(text: string): string {
  if (text.includes('\0')) throw new AegirError('invalid_argument', 'cannot quote a text with a NUL character for SQL');
  return `'${text.replaceAll("'", "''")}'`;
}

export const ENCODING = 'UTF8';
const LOCALE = 'C.UTF-8';

export function createDatabase(database: string, owner: string): string {
  return `CREATE DATABASE ${identifier(database)} OWNER ${identifier(owner)} TEMPLATE template0 ENCODING '${ENCODING}' LOCALE '${LOCALE}';
${closeDatabase(database, owner)}`;
}

/** To everybody but its owner; others who were let in by name stay. */
export function closeDatabase(database: string, owner: string): string {
  return `REVOKE ALL ON DATABASE ${identifier(database)} FROM PUBLIC;
GRANT ALL ON DATABASE ${identifier(database)} TO ${identifier(owner)};`;
}

export function ownDatabase(database: string, owner: string): string {
  return `ALTER DATABASE ${identifier(database)} OWNER TO ${identifier(owner)};`;
}

export function openDatabase(database: string): string {
  return `ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS true CONNECTION LIMIT -1 IS_TEMPLATE false;`;
}

/** Whoever is in is cut off. */
export function dropDatabase(database: string, isTemplate: boolean): string {
  const name = identifier(database);
  const open = isTemplate ? `ALTER DATABASE ${name} IS_TEMPLATE false;\n` : '';
  return `${open}DROP DATABASE IF EXISTS ${name} WITH (FORCE);`;
}

const ATTRIBUTES = 'INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1';

function attributes(locked: boolean): string {
  return `${locked ? 'NOLOGIN' : 'LOGIN'} ${ATTRIBUTES}`;
}

/** verifier: of scram.ts, which the server takes as it is. */
export function createRole(role: string, verifier: string, locked: boolean): string {
  return `${UNLOGGED}CREATE ROLE ${identifier(role)} ${attributes(locked)} PASSWORD ${literal(verifier)} VALID UNTIL 'infinity';`;
}

export function setPassword(role: string, verifier: string): string {
  return `${UNLOGGED}ALTER ROLE ${identifier(role)} PASSWORD ${literal(verifier)} VALID UNTIL 'infinity';`;
}

export function setAttributes(role: string, locked: boolean): string {
  return `ALTER ROLE ${identifier(role)} ${attributes(locked)} VALID UNTIL 'infinity';`;
}

/**
 * The server never sees the password, and no log, statistics or list of activities sees what it keeps of it; settings of
 * extensions that are not there are taken and mean nothing. The write-ahead log holds it: replicas need it.
 */
const UNLOGGED = `SET track_activities = off;
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_duration_sample = -1;
SET log_transaction_sample_rate = 0;
SET log_min_error_statement = panic;
SET pg_stat_statements.track = 'none';
SET pg_stat_statements.track_utility = off;
SET pgaudit.log = 'none';
SET auto_explain.log_min_duration = -1;
`;

/** May be the other one and nobody else, which it is from its log-in on. */
export function createDeputy(role: string, of: string, database: string, verifier: string): string {
  return `${UNLOGGED}CREATE ROLE ${identifier(role)} LOGIN NOINHERIT IN ROLE ${identifier(of)} PASSWORD ${literal(verifier)};
ALTER ROLE ${identifier(role)} SET role = ${literal(of)};
GRANT CONNECT ON DATABASE ${identifier(database)} TO ${identifier(role)};`;
}

/** In the database where it may have made something. */
export function dropDeputy(role: string): string {
  return `${endConnections(role, 'true')}
DROP OWNED BY ${identifier(role)} CASCADE;
DROP ROLE ${identifier(role)};`;
}

/** A server that follows a database logs in as it; it reads all of that one, sequences too, and changes nothing. */
export function createFollower(role: string, database: string, verifier: string): string {
  return `BEGIN;\n${UNLOGGED}CREATE ROLE ${identifier(role)} NOLOGIN;\n${followerRights(role, database, verifier)}COMMIT;`;
}

export function setFollower(role: string, database: string, verifier: string): string {
  return `BEGIN;\n${UNLOGGED}${followerRights(role, database, verifier)}COMMIT;`;
}

function followerRights(role: string, database: string, verifier: string): string {
  return `ALTER ROLE ${identifier(role)} LOGIN REPLICATION INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD ${literal(verifier)};
GRANT pg_read_all_data TO ${identifier(role)};
GRANT CONNECT ON DATABASE ${identifier(database)} TO ${identifier(role)};
`;
}

/** It comes in no more, and who is in is ended. */
export function endFollower(role: string): string {
  return `ALTER ROLE ${identifier(role)} NOLOGIN;
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE usename = ${literal(role)};
`;
}

/** All slots of the follower; whoever reads them is ended. */
export function dropSlots(role: string): string {
  const ours = `FROM pg_replication_slots WHERE starts_with(slot_name, ${literal(`${role}_`)})`;
  return `SELECT count(pg_terminate_backend(active_pid, 5000)) ${ours} AND active_pid IS NOT NULL;
SELECT to_json(slot_name) FROM (SELECT slot_name, pg_drop_replication_slot(slot_name) ${ours} OFFSET 0) AS s;`;
}

/**
 * The server that follows takes the changes as a role that may be the site's own and nobody else: what is in the database
 * may run code of the site with each of them. Up to PostgreSQL 15 the owner of a subscription may have it go anywhere as
 * the server's own user, so nobody but an administrator may change it. leader: conninfo, with a password.
 */
export function createSubscription(role: string, of: string, slot: string, leader: string): string {
  const name = identifier(role);
  return `${UNLOGGED}BEGIN;
CREATE ROLE ${name} LOGIN CONNECTION LIMIT 0 SUPERUSER INHERIT IN ROLE ${identifier(of)};
CREATE SCHEMA ${name};
CREATE FUNCTION ${name}.guard() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$ BEGIN
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN RAISE insufficient_privilege; END IF; END $guard$;
CREATE EVENT TRIGGER ${name} ON ddl_command_start WHEN TAG IN ('ALTER SUBSCRIPTION', 'DROP SUBSCRIPTION')
  EXECUTE FUNCTION ${name}.guard();
ALTER EVENT TRIGGER ${name} ENABLE ALWAYS;
CREATE SUBSCRIPTION ${name} CONNECTION ${literal(leader)} PUBLICATION ${name}
  WITH (create_slot = false, copy_data = false, enabled = false, slot_name = ${literal(slot)});
ALTER SUBSCRIPTION ${name} OWNER TO ${name};
ALTER ROLE ${name} NOSUPERUSER;
ALTER SUBSCRIPTION ${name} ENABLE;
COMMIT;`;
}

/** The slot is the leader's, and stays. What was applied is on the disk once this is. */
export function dropSubscription(role: string, isThere: boolean): string {
  const name = identifier(role);
  const subscription = `ALTER SUBSCRIPTION ${name} DISABLE;
ALTER SUBSCRIPTION ${name} SET (slot_name = NONE);
DROP SUBSCRIPTION ${name};
`;
  return `BEGIN;
${isThere ? subscription : ''}DROP EVENT TRIGGER IF EXISTS ${name};
DROP SCHEMA IF EXISTS ${name} CASCADE;
COMMIT;
`;
}

/** In the database that followed. */
export function dropFollowing(role: string): string {
  return `DROP OWNED BY ${identifier(role)} CASCADE;\nDROP ROLE ${identifier(role)};`;
}

/** Membership of others in it goes with it. */
export function dropRole(role: string): string {
  return `${endConnections(role, 'true')}
DROP ROLE IF EXISTS ${identifier(role)};`;
}

/** Names as found. Since PostgreSQL 16 a membership is of who gave it, and each must be taken back for itself. */
export function leaveRoles(role: string, from: readonly Membership[]): string {
  return from
    .map((each) => {
      const by = each.by === null ? '' : ` GRANTED BY ${quoted(each.by)}`;
      return `REVOKE ${quoted(each.role)} FROM ${identifier(role)}${by} CASCADE;`;
    })
    .join('\n');
}

/** Any name, as found. */
function quoted(name: string): string {
  if (name.includes('\0')) throw new AegirError('internal', 'cannot write a name with a NUL character in SQL');
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * In one of others' databases, what the role owns becomes ours and its rights end: nothing is dropped but rights. Its own
 * database stays its own.
 */
export function leaveDatabase(role: string, own: string | undefined): string {
  const keep = own === undefined ? '' : `\n${ownDatabase(own, role)}\n${closeDatabase(own, role)}`;
  return `BEGIN;
REASSIGN OWNED BY ${identifier(role)} TO CURRENT_USER;
DROP OWNED BY ${identifier(role)};${keep}
COMMIT;`;
}

/** Ends connections of the role of which the condition on pg_stat_activity is true, and waits until they are gone. */
export function endConnections(role: string, condition: string): string {
  return `SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE usename = ${literal(role)} AND backend_type = 'client backend' AND (${condition});`;
}

/** True of connections from elsewhere than these (normalised) addresses, or to another database than its own. */
export function isElsewhere(database: string, from: readonly string[]): string {
  const addresses = from.filter((each) => each !== 'localhost').map((each) => `${literal(each)}::inet`);
  const listed = addresses.length === 0 ? 'true' : `client_addr NOT IN (${addresses.join(', ')})`;
  // By the socket there is no address.
  const away = `CASE WHEN client_addr IS NULL THEN ${!from.includes('localhost')} ELSE ${listed} END`;
  return `datname IS DISTINCT FROM ${literal(database)} OR ${away}`;
}

/** In its database: to its owner, and to nobody else what is given to everybody. */
export function openSchema(role: string): string {
  return `ALTER SCHEMA public OWNER TO pg_database_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO pg_database_owner;
GRANT USAGE ON SCHEMA public TO ${identifier(role)};`;
}
