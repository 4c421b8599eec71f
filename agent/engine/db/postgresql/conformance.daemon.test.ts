// PostgreSQL as one of the db engines: the suite of its type, on a real server.
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import type { CommandResult } from '../../../host/host.ts';
import { describeDbEngine } from '../../conformance/db.ts';
import { POSTGRESQL_DUMPS } from '../../conformance/db-postgresql-dumps.ts';
import type { DbDrift } from '../../conformance/db-stage.ts';
import { createPostgresqlEngine } from './engine.ts';

const ADDRESS = '127.0.35.9';
const CLIENT = ['psql', '--no-psqlrc', '--no-password', '--quiet', '--no-align', '--tuples-only'] as const;
const CLUSTER = 'postgresql@15-main';

describeDbEngine({
  name: 'postgresql',
  daemon: CLUSTER,
  createEngine: () => createPostgresqlEngine(),
  async startHost(dir) {
    const host = await createEmbeddedHost({
      dir,
      hostname: 'db.test',
      address: ADDRESS,
      ports: { nginx: 1, mariadb: 1, postgresql: await freePort() },
      daemons: [CLUSTER],
    });
    const daemon = await host.daemon(CLUSTER);
    const etc = dirname(daemon?.includeDir ?? '');
    // All that a server can be told to record.
    const conf = `logging_collector = on\nlog_directory = 'recorded'\nlog_statement = 'all'
log_min_duration_statement = 0\nlog_duration = on\nshared_preload_libraries = 'pg_stat_statements, auto_explain'
auto_explain.log_min_duration = 0\n`;
    await host.files.write(join(etc, 'conf.d/recorded.conf'), conf, { mode: 0o644 });
    // An operator who lets everybody in from everywhere who has a password.
    const hba = await host.files.read(join(etc, 'pg_hba.conf'));
    const open = `${hba}\n# everybody\nhost all all 127.0.0.0/8 scram-sha-256\nhost all all all scram-sha-256 # and on\n`;
    await host.files.write(join(etc, 'pg_hba.conf'), open, { mode: 0o640 });
    await daemon?.restart();
    return host;
  },
  administer: (host, { socket, port, user }, sql) =>
    lines(
      host.run({
        argv: [
          ...CLIENT,
          '--set=ON_ERROR_STOP=1',
          `--host=${dirname(socket)}`,
          `--port=${port}`,
          // What a test sets for the engine's role is not to end what the test itself asks.
          "--dbname=dbname=postgres options='-c statement_timeout=0'",
          `--username=${user}`,
        ],
        input: sql,
        maxOutput: 256 * 1024 * 1024,
      }),
    ),
  ask: (host, socket, { user, password, database }, sql) =>
    lines(
      host.run({
        argv: [
          ...CLIENT,
          '--set=ON_ERROR_STOP=1',
          `--host=${dirname(socket)}`,
          '--port=5432',
          `--username=${user}`,
          `--dbname=${database}`,
        ],
        env: { PATH: '/usr/bin:/bin', PGPASSWORD: password, LANG: 'C.UTF-8' },
        input: sql,
      }),
    ),
  socketName: '.s.PGSQL.5432',
  refusesAddress: (address) => `pg_hba.conf rejects connection for host "${address}"`,
  refusesLogin: ({ user }) => `password authentication failed for user "${user}"`,
  databases: 'SELECT datname FROM pg_database;',
  everybodys: [],
  system: 'postgres',
  everythingBut,
  foreign,
  recording: {
    start: 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT pg_stat_statements_reset();',
    stop: '',
    read: 'SELECT pg_read_file(pg_current_logfile()); SELECT query FROM pg_stat_statements;',
    replicated: `SELECT wal FROM (SELECT encode(pg_read_binary_file('pg_wal/' || name), 'escape') FROM pg_ls_waldir()) AS w (wal)
WHERE wal LIKE '%s\\_0000%';`,
  },
  drifts: drifts(),
  wait: 'SELECT pg_sleep(90);',
  connected: 'SELECT usename FROM pg_stat_activity;',
  moods: [
    ['standard_conforming_strings', 'off'],
    ['quote_all_identifiers', 'on'],
    ['search_path', 'nowhere'],
    ['password_encryption', 'md5'],
    ['default_transaction_isolation', 'serializable'],
    ['client_encoding', 'LATIN1'],
    ['client_min_messages', 'debug1'],
    ['row_security', 'off'],
    ['statement_timeout', '10ms'],
  ].map(([name, value]) => ({
    what: `${name} ${value}`,
    set: `ALTER ROLE CURRENT_USER SET ${name} = '${value}';`,
    undo: `SET statement_timeout = 0; ALTER ROLE CURRENT_USER RESET ${name};`,
  })),
  dumps: POSTGRESQL_DUMPS,
  // Whatever its salt.
  hashed: () => 'SCRAM-SHA-256$',
});

async function lines(running: Promise<CommandResult>): Promise<readonly string[]> {
  const { code, stdout, stderr } = await running;
  if (code !== 0) throw new Error(stderr);
  return stdout.split('\n').filter((line) => line !== '');
}

function everythingBut(specs: readonly DbSpec[]): string {
  const list = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');
  const users = list(specs.map(({ user }) => user));
  const databases = list(specs.map(({ database }) => database));
  const acl = (of: string, kind: string, owner: string): string =>
    `ARRAY (SELECT pg_get_userbyid(grantee) || ' ' || privilege_type FROM aclexplode(coalesce(${of}, acldefault('${kind}', ${owner}))) ORDER BY 1)`;
  return `SELECT 'role', rolname, rolsuper, rolcanlogin, rolpassword, rolconnlimit FROM pg_authid WHERE rolname NOT IN (${users}) ORDER BY rolname;
SELECT 'member', pg_get_userbyid(roleid), pg_get_userbyid(member) FROM pg_auth_members
  WHERE pg_get_userbyid(member) NOT IN (${users}) ORDER BY 2, 3;
SELECT 'database', datname, pg_get_userbyid(datdba), datconnlimit, ${acl('datacl', 'd', 'datdba')} FROM pg_database
  WHERE datname NOT IN (${databases}) ORDER BY datname;
SELECT 'access', line FROM regexp_split_to_table(pg_read_file(current_setting('hba_file')), E'\\n') AS line
  WHERE line !~ '^# (BEGIN|END) aegir' AND line !~ '^$' AND NOT EXISTS (SELECT FROM unnest(ARRAY[${users}]) AS u WHERE line ~ (' ' || u || ' '));
\\connect shop
SELECT 'table', relname, pg_get_userbyid(relowner), ${acl('relacl', 'r', 'relowner')} FROM pg_class
  WHERE relnamespace = 'public'::regnamespace ORDER BY relname;
SELECT 'row', thing FROM public.things;`;
}

/** Names that differ by case, by a prefix, or by what is a pattern elsewhere. */
function foreign({ database, user }: DbSpec): string {
  const names = [database.replace('_', 'X'), database.toUpperCase(), `${database}x`, 'shop'];
  const users = [user.toUpperCase(), `${user}x`, user.replace('_', 'X'), 'shop'];
  return names
    .map(
      (name, index) => `CREATE ROLE "${users[index]}" LOGIN PASSWORD 'theirs';
CREATE DATABASE "${name}" OWNER "${users[index]}" TEMPLATE template0;
\\connect "${name}"
CREATE TABLE things AS SELECT 1 AS thing; ALTER TABLE things OWNER TO "${users[index]}";`,
    )
    .join('\n')
    .concat('\nCREATE ROLE shopkeeper; GRANT shopkeeper TO shop;');
}

function drifts(): readonly DbDrift[] {
  const role = (what: string, attributes: string, says: string): DbDrift => ({
    what,
    harm: ({ user }) => `ALTER ROLE ${user} ${attributes};`,
    says,
  });
  const password = (what: string, sql: string, says: string): DbDrift => ({
    what,
    harm: ({ user }) => `${sql.replace('USER', user)};`,
    says: `(${says})`,
  });
  const database = (what: string, sql: string, says: string): DbDrift => ({
    what,
    harm: (spec) => sql.replaceAll('DB', spec.database).replaceAll(/\bUSER\b/g, spec.user),
    says,
  });
  const elsewhere = (what: string, sql: string): DbDrift => ({
    what,
    harm: ({ user }) => sql.replaceAll(/\bUSER\b/g, user),
    says: 'there were rights that it must not have',
  });
  const inside = (what: string, sql: string, says: string): DbDrift => database(what, `\\connect DB\n${sql}`, says);
  const lines = (what: string, sed: (spec: DbSpec, address: string) => string, says: string): DbDrift => ({
    what,
    harm: (spec, address) =>
      `SELECT current_setting('hba_file') AS hba \\gset\n\\setenv HBA :hba\n\\! sed -i '${sed(spec, address)}' "$HBA"\n`,
    says,
  });
  return [
    role('a locked user', 'NOLOGIN', 'it was locked'),
    role('a superuser', 'SUPERUSER', 'it was a superuser'),
    role('a maker of databases', 'CREATEDB', 'it could make databases'),
    role('a maker of users', 'CREATEROLE', 'it could make users'),
    role('a replica', 'REPLICATION', 'it could replicate'),
    role('a reader of every row', 'BYPASSRLS', 'it could read every row'),
    role('a user that inherits nothing', 'NOINHERIT', 'it did not inherit'),
    role('a limit of connections', 'CONNECTION LIMIT 0', 'it had a limit of connections'),
    role('a user that expires', "VALID UNTIL '2020-01-01'", 'it would expire'),
    password('another password', "ALTER ROLE USER PASSWORD 'guessed'", 'it was another one'),
    password('no password', 'ALTER ROLE USER PASSWORD NULL', 'it had none'),
    password(
      'a password that is kept as md5',
      "SET password_encryption = 'md5'; ALTER ROLE USER PASSWORD 'secret-of-0000000000000001'",
      'it was kept by another method',
    ),
    {
      what: 'a role of others',
      harm: ({ user }) => `GRANT shopkeeper TO ${user}; GRANT pg_read_all_data TO ${user} WITH ADMIN OPTION;`,
      says: 'out of pg_read_all_data, shopkeeper, whose rights it must not have',
    },
    elsewhere("a right on others' database", 'GRANT ALL ON DATABASE shop TO USER;'),
    elsewhere("a right on others' table", '\\connect shop\nGRANT SELECT ON things TO USER;'),
    elsewhere('a right on a setting', 'GRANT SET ON PARAMETER log_statement TO USER;'),
    {
      what: 'a user that was dropped',
      harm: ({ user, database: name }) =>
        `\\connect ${name}\nREASSIGN OWNED BY ${user} TO CURRENT_USER; DROP OWNED BY ${user}; DROP ROLE ${user};`,
      says: 'create user',
    },
    {
      what: 'a database that was dropped',
      harm: ({ database: name }) => `DROP DATABASE ${name};`,
      says: 'create database',
      loses: true,
    },
    database('another owner', 'ALTER DATABASE DB OWNER TO shop;', 'it was "shop"'),
    database('rights of everybody', 'GRANT CONNECT ON DATABASE DB TO PUBLIC;', 'everybody had rights on it'),
    database('rights that were taken away', 'REVOKE ALL ON DATABASE DB FROM USER;', 'rights were missing'),
    database('a right that was taken away', 'REVOKE TEMPORARY ON DATABASE DB FROM USER;', 'rights were missing'),
    database('a database that takes nobody in', 'ALTER DATABASE DB ALLOW_CONNECTIONS false;', 'it took no connections'),
    database('a database with a limit', 'ALTER DATABASE DB CONNECTION LIMIT 0;', 'it had a limit of connections'),
    database('a template', 'ALTER DATABASE DB IS_TEMPLATE true;', 'it was a template'),
    inside(
      'a table of the administrator',
      'ALTER TABLE IF EXISTS keep OWNER TO CURRENT_USER; CREATE VIEW v AS SELECT 1;',
      'a superuser owned them',
    ),
    inside(
      'a schema where everybody makes things',
      'GRANT CREATE ON SCHEMA public TO PUBLIC;',
      'everybody could make things',
    ),
    inside(
      'a schema that is closed',
      'ALTER SCHEMA public OWNER TO CURRENT_USER; REVOKE ALL ON SCHEMA public FROM PUBLIC;',
      'rights were missing',
    ),
    lines('an address that was taken away', ({ user }, address) => `/ ${user} ${address}\\/32/d`, '1 was missing'),
    lines(
      'an address more',
      ({ user, database: name }) => `s/^host all ${user} .*/host ${name} ${user} 127.0.35.66\\/32 scram-sha-256\\n&/`,
      'not 127.0.35.66, which no web server of the site is',
    ),
    lines('entry without a password', ({ user }, address) => `s/\\( ${user} ${address}\\/32\\) .*/\\1 trust/`, 'trust'),
    lines(
      'entry to every database',
      ({ user, database: name }) => `s/^host ${name} ${user} /host all ${user} /`,
      'host all',
    ),
    lines('no refusal of all the rest', ({ user }) => `/ all ${user} .*reject/d`, '2 were missing'),
    lines('lines that were taken away', ({ user }) => `/ ${user} /d`, 'there were none'),
    lines(
      'lines in another order',
      ({ user }) => `/^host all ${user} /{h;d};/^local all ${user} /G`,
      'in another order',
    ),
  ];
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, ADDRESS, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
    server.on('error', reject);
  });
}
