// MariaDB as one of the db engines: the suite of its type, on a real server.
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import { createEmbeddedHost } from '../../../host/embedded/host.ts';
import type { CommandResult } from '../../../host/host.ts';
import { describeDbEngine } from '../../conformance/db.ts';
import { MARIADB_DUMPS } from '../../conformance/db-mariadb-dumps.ts';
import type { DbDrift } from '../../conformance/db-stage.ts';
import { createMariadbEngine } from './engine.ts';
import { nativeHash } from './sql.ts';

const ADDRESS = '127.0.35.9';
const CLIENT = [
  'mariadb',
  '--no-defaults',
  '--batch',
  '--skip-column-names',
  '--default-character-set=utf8mb4',
  // What it answers is compared, whatever the server's own mode.
  "--init-command=SET SESSION sql_mode = ''",
] as const;

describeDbEngine({
  name: 'mariadb',
  daemon: 'mariadb',
  createEngine: () => createMariadbEngine(),
  async startHost(dir) {
    const host = await createEmbeddedHost({
      dir,
      hostname: 'db.test',
      address: ADDRESS,
      ports: { nginx: 1, mariadb: await freePort() },
      daemons: ['mariadb'],
    });
    const daemon = await host.daemon('mariadb');
    // As a server with replicas, so that what goes to them is seen.
    const conf = '[mariadbd]\nlog-bin = replicated\nserver-id = 1\nlog_bin_trust_function_creators = ON\n';
    await host.files.write(join(daemon?.includeDir ?? '', 'replicated.cnf'), conf, { mode: 0o644 });
    await daemon?.restart();
    return host;
  },
  administer: (host, daemon, sql) =>
    lines(host.run({ argv: [...CLIENT, `--socket=${daemon.socket}`, `--user=${daemon.user}`], input: sql })),
  ask: (host, socket, { user, password, database }, sql) =>
    lines(
      host.run({
        argv: [...CLIENT, `--socket=${socket}`, `--user=${user}`, database],
        env: { PATH: '/usr/bin:/bin', MYSQL_PWD: password },
        input: sql,
      }),
    ),
  socketName: 'mariadb.sock',
  // An account is a user from an address: both refusals name it.
  refusesAddress: (address) => address,
  refusesLogin: (_spec, address) => address,
  databases: 'SHOW DATABASES;',
  everybodys: ['information_schema'],
  system: 'mysql',
  visible: 'SHOW DATABASES;',
  everythingBut,
  foreign,
  recording: {
    start: `RESET MASTER; SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log; TRUNCATE mysql.slow_log;
SET GLOBAL general_log = ON, slow_query_log = ON, long_query_time = 0;`,
    stop: 'SET GLOBAL general_log = OFF, slow_query_log = OFF, long_query_time = DEFAULT;',
    read: 'SELECT argument FROM mysql.general_log; SELECT sql_text FROM mysql.slow_log;',
    replicated: 'SHOW BINLOG EVENTS;',
  },
  drifts: drifts(),
  wait: 'SELECT SLEEP(90);',
  connected: 'SELECT user FROM information_schema.processlist;',
  moods: ['ANSI_QUOTES,NO_BACKSLASH_ESCAPES', 'ANSI,PAD_CHAR_TO_FULL_LENGTH', 'ORACLE', ''].map((mode) => ({
    what: `sql_mode '${mode}'`,
    set: `SET GLOBAL sql_mode = '${mode}';`,
    undo: 'SET GLOBAL sql_mode = DEFAULT;',
  })),
  hashed: nativeHash,
  dumps: MARIADB_DUMPS,
});

async function lines(running: Promise<CommandResult>): Promise<readonly string[]> {
  const { code, stdout, stderr } = await running;
  if (code !== 0) throw new Error(stderr);
  return stdout.split('\n').filter((line) => line !== '');
}

function everythingBut(specs: readonly DbSpec[]): string {
  const list = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');
  // With their deputies.
  const users = list(specs.flatMap(({ user }) => [user, user.replace(/^s_/, 'd_')]));
  const databases = list([...specs.map(({ database }) => database), 'information_schema']);
  return `
SELECT 'account', user, host, priv FROM mysql.global_priv WHERE user NOT IN (${users}) ORDER BY user, host;
SELECT 'rights', mysql.db.* FROM mysql.db WHERE user NOT IN (${users}) ORDER BY user, host, db;
SELECT 'of table', mysql.tables_priv.* FROM mysql.tables_priv WHERE user NOT IN (${users}) ORDER BY user, host, db, table_name;
SELECT 'role', user, host, role FROM mysql.roles_mapping WHERE user NOT IN (${users}) ORDER BY user, host, role;
SELECT 'database', schema_name, default_collation_name FROM information_schema.schemata
  WHERE BINARY schema_name NOT IN (${databases}) ORDER BY BINARY schema_name;
SELECT 'table', table_schema, table_name, create_time FROM information_schema.tables
  WHERE BINARY table_schema NOT IN (${databases}, 'mysql') ORDER BY BINARY table_schema, table_name;
CHECKSUM TABLE shop.things;`;
}

/** In a grant "_" is a pattern, a plain comparison ignores case, and a prefix is no name. */
function foreign({ database, user }: DbSpec): string {
  const names = [database.replace('_', 'X'), database.toUpperCase(), `${database}x`, 'shop'];
  const users = [user.toUpperCase(), `${user}x`, user.replace('_', 'X'), 'shop'];
  return names
    .map((name, index) => {
      const account = `\`${users[index]}\`@\`%\``;
      return `CREATE DATABASE \`${name}\`; CREATE TABLE \`${name}\`.things AS SELECT 1 AS thing;
CREATE USER ${account} IDENTIFIED BY 'theirs'; GRANT ALL PRIVILEGES ON \`${name}\`.* TO ${account};`;
    })
    .join('\n')
    .concat("CREATE ROLE shopkeeper; CREATE USER 'shop'@'localhost'; GRANT shopkeeper TO 'shop'@'%';");
}

function drifts(): readonly DbDrift[] {
  const account = ({ user }: DbSpec, host: string): string => `\`${user}\`@\`${host}\``;
  const pattern = ({ database }: DbSpec): string => `\`${database.replaceAll('_', '\\_')}\`.*`;
  const deputy = ({ user }: DbSpec): string => user.replace(/^s_/, 'd_');
  const set = (what: string, attributes: string, says: string): DbDrift => ({
    what,
    harm: (spec, address) => `ALTER USER ${account(spec, address)} ${attributes};`,
    says,
  });
  const give = (what: string, sql: (account: string) => string): DbDrift => ({
    what,
    harm: (spec, address) => sql(account(spec, address)),
    says: 'there were rights that it must not have',
  });
  const from = (what: string, host: string, shown = host): DbDrift => ({
    what,
    harm: (spec) =>
      `CREATE OR REPLACE USER ${account(spec, host)} IDENTIFIED BY 'guessed'; GRANT ALL PRIVILEGES ON ${pattern(spec)} TO ${account(spec, host)};`,
    says: `from ${shown}, which no web server of the site is`,
  });
  return [
    {
      what: 'a deputy whom a dead restore left open',
      harm: (spec) => `CREATE OR REPLACE USER ${deputy(spec)}@localhost IDENTIFIED BY 'guessed';
GRANT ALL PRIVILEGES ON ${pattern(spec)} TO ${deputy(spec)}@localhost; GRANT SELECT ON shop.* TO ${deputy(spec)}@localhost;`,
      says: 'close d_',
    },
    {
      what: 'a deputy from everywhere',
      harm: (spec) => `CREATE OR REPLACE USER ${deputy(spec)}@'%' IDENTIFIED BY 'guessed';`,
      says: 'drop user d_',
    },
    {
      what: 'rights that were taken away',
      harm: (spec, address) => `REVOKE ALL PRIVILEGES ON ${pattern(spec)} FROM ${account(spec, address)};`,
      says: 'rights were missing',
    },
    {
      what: 'a right that was taken away',
      harm: (spec, address) => `REVOKE DROP ON ${pattern(spec)} FROM ${account(spec, address)};`,
      says: 'rights were missing',
    },
    give('a right on everything', (who) => `GRANT SELECT ON *.* TO ${who};`),
    give("a right on others' database", (who) => `GRANT ALL PRIVILEGES ON shop.* TO ${who};`),
    give("a right on others' table", (who) => `GRANT SELECT ON shop.things TO ${who};`),
    give('the right to pass rights on', (who) => `GRANT USAGE ON *.* TO ${who} WITH GRANT OPTION;`),
    give('a role', (who) => `GRANT shopkeeper TO ${who}; SET DEFAULT ROLE shopkeeper FOR ${who};`),
    give('the right to be somebody else', (who) => `GRANT PROXY ON 'shop'@'localhost' TO ${who};`),
    from('a user from everywhere', '%'),
    from('a user from a pattern', '127.0.35.%'),
    from('a user from a network', '127.0.0.0/255.0.0.0'),
    from('a user from a host name', 'web.example.org'),
    from('a user from the host itself', 'localhost'),
    from('a user from a host with a quote', "o'clock"),
    // The server keeps hosts in lower case.
    from('a user from a host with SQL', "x'; drop database shop; --", '"x\'; drop database shop; --"'),
    from('a user from a host with a backquote and a backslash', 'a``b\\c', 'a`b\\c'),
    {
      what: 'a user that was dropped',
      harm: (spec, address) => `DROP USER ${account(spec, address)};`,
      says: 'create user',
    },
    {
      what: 'a database that was dropped',
      harm: ({ database }) => `DROP DATABASE ${database};`,
      says: 'create database',
      loses: true,
    },
    {
      what: 'another character set',
      harm: ({ database }) => `ALTER DATABASE ${database} CHARACTER SET latin1;`,
      says: 'set the default character set',
    },
    set('another password', "IDENTIFIED BY 'guessed'", 'it was another one'),
    set('another way to log in', 'IDENTIFIED VIA unix_socket', 'it logged in by other means'),
    set(
      'a further way to log in',
      "IDENTIFIED VIA mysql_native_password USING PASSWORD('x') OR unix_socket",
      'there was another way to log in',
    ),
    set('a locked account', 'ACCOUNT LOCK', 'it was locked'),
    set('an expired password', 'PASSWORD EXPIRE', 'it was expired'),
    set('a password that will expire', 'PASSWORD EXPIRE INTERVAL 9 DAY', 'it would expire'),
    set('a demand for TLS', 'REQUIRE SSL', 'TLS was demanded'),
    set('a limit', 'WITH MAX_QUERIES_PER_HOUR 5 MAX_STATEMENT_TIME 3', 'it had limits'),
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
