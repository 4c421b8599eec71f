// What of the engine is MySQL's own, by what its manual says of its words: Debian has no MySQL server to try it on.
import { describe, expect, it } from 'vitest';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import { createFakeHost } from '../../../host/fake.ts';
import type { Command, CommandResult } from '../../../host/host.ts';
import { contextOf, summaries } from '../../conformance/interruption.ts';
import { runChanges } from '../../engine.ts';
import { createMysqlEngine } from './engine.ts';
import { MYSQL } from './mysql.ts';
import { cachingSha2 } from './sha-crypt.ts';

const PASSWORD = 'right';
const sound = {
  plugin: 'caching_sha2_password',
  authentication_string: Buffer.from(cachingSha2(PASSWORD)).toString('hex').toUpperCase(),
  ssl_type: '',
  account_locked: 0,
  password_expired: 0,
  password_lifetime: 0,
  max_questions: 0,
  max_updates: 0,
  max_connections: 0,
  max_user_connections: 0,
  attributes: null,
};
const drift = (change: object) => MYSQL.accountDrift(JSON.stringify({ ...sound, ...change }), PASSWORD, false);

describe('an account', () => {
  it.each([{}, { attributes: {} }, { attributes: { metadata: { comment: 'x' } } }, { account_locked: false }])(
    'with %j is as wanted',
    (change) => expect(drift(change)).toEqual([]),
  );

  it.each<[string, object]>([
    ['it logged in by other means', { plugin: 'mysql_native_password' }],
    ['it logged in by other means', { plugin: 'auth_socket' }],
    ['it was another one', { authentication_string: '' }],
    ['it was another one', { authentication_string: Buffer.from(cachingSha2('wrong')).toString('hex') }],
    ['there was another way to log in', { attributes: { additional_password: '$A$005$x' } }],
    ['TLS was demanded', { ssl_type: 'ANY' }],
    ['it was locked', { account_locked: 1 }],
    ['it would lock itself', { attributes: { Password_locking: { failed_login_attempts: 3 } } }],
    ['it was expired', { password_expired: 1 }],
    ['it would expire', { password_lifetime: 90 }],
    ['it would expire', { password_lifetime: null }],
    ['it had limits', { max_user_connections: 1 }],
  ])('%s: %j', (why, change) => expect(drift(change)).toEqual([why]));

  it.each(['', 'null', '{'])('whose properties are %j is made anew', (json) => {
    expect(MYSQL.accountDrift(json, PASSWORD, false)).toEqual(['its properties could not be read']);
  });
});

describe('a statement', () => {
  const [user, host] = ['s_0000000000000001', '192.0.2.1'];

  it('makes an account by hash alone, with nothing left of a former one, in MySQL’s words', () => {
    const sql = MYSQL.createAccount(user, host, PASSWORD, false);
    expect(sql).toMatch(/^DROP USER IF EXISTS `s_0+1`@`192.0.2.1`;$/m);
    expect(sql).toMatch(
      /^CREATE USER `s_0+1`@`192.0.2.1` IDENTIFIED WITH caching_sha2_password AS '\$A\$005\$[^']{63}' REQUIRE NONE/m,
    );
    for (const theirs of [PASSWORD, 'OR REPLACE', ' VIA ', 'MAX_STATEMENT_TIME']) expect(sql).not.toContain(theirs);
  });

  it('alters one in place, and forgets its second password', () => {
    const sql = MYSQL.alterAccount(user, host, PASSWORD, false);
    expect(sql).toMatch(/^ALTER USER .* AS '\$A\$005\$.* ACCOUNT UNLOCK PASSWORD EXPIRE NEVER/m);
    expect(sql).toMatch(/^ALTER USER `s_0+1`@`192.0.2.1` DISCARD OLD PASSWORD;$/m);
  });

  it('looks for connections by address, and for all of them when there is none', () => {
    expect(MYSQL.selectEnding?.(user, host)).toContain("(host = '192.0.2.1' OR SUBSTRING_INDEX(host, ':',");
    expect(MYSQL.selectEnding?.(user, "%'; --")).toMatch(/WHERE user = 's_0+1';$/);
  });
});

describe('the engine', () => {
  const service = {
    id: 'svc-1',
    serverId: 'srv-1',
    type: 'db',
    engine: 'mysql',
    version: '',
    instance: '',
    settings: {},
    secrets: {},
  };
  const spec: DbSpec = {
    siteId: 'site-0000000000000001',
    database: 'site_0000000000000001',
    user: 's_0000000000000001',
    password: PASSWORD,
    from: ['192.0.2.1'],
    holdsContent: false,
    frozen: false,
  };
  const engine = createMysqlEngine();
  const hostWith = (answer: (sql: string, command: Command) => Partial<CommandResult> | undefined) =>
    createFakeHost({
      daemons: [{ name: 'mysql', socket: '/run/mysqld/mysqld.sock', includeDir: '/etc/mysql/mysql.conf.d' }],
      answer: (command) => answer(String(command.input ?? ''), command),
    });
  const json = (value: object) => JSON.stringify(value).replaceAll('\\', '\\\\');
  const grants = [
    'GRANT USAGE ON *.* TO `s_0000000000000001`@`192.0.2.1`',
    'GRANT ALL PRIVILEGES ON `site\\\\_0000000000000001`.* TO `s_0000000000000001`@`192.0.2.1`',
  ];
  const standing = (more: { grants?: readonly string[]; properties?: object; hosts?: readonly string[] } = {}) =>
    hostWith((sql) => {
      if (sql.includes('default_character_set_name')) return { stdout: 'utf8mb4\tutf8mb4_unicode_ci\n' };
      // It has no deputy.
      if (sql.includes("'d_0")) return undefined;
      if (sql.includes('FROM mysql.user')) {
        const properties = json({ ...sound, ...more.properties });
        return { stdout: (more.hosts ?? ['192.0.2.1']).map((host) => `${host}\t${properties}\n`).join('') };
      }
      if (sql.startsWith('SHOW GRANTS')) return { stdout: `${(more.grants ?? grants).join('\n')}\n` };
      return undefined;
    });

  it('asks MySQL’s client, and finds nothing to do for a site that is there', async () => {
    const host = standing();
    expect(summaries(await engine.plan(service, spec, contextOf(host)))).toEqual([]);
    expect(host.commands.map(({ argv }) => argv[0])).toEqual(['mysql', 'mysql', 'mysql', 'mysql']);
  });

  it.each<[string, Parameters<typeof standing>[0]]>([
    ['set the password of', { properties: { plugin: 'mysql_native_password' } }],
    ['rights were missing', { grants: grants.slice(0, 1) }],
    [
      'rights that it must not have',
      { grants: [...grants, 'GRANT BACKUP_ADMIN ON *.* TO `s_0000000000000001`@`192.0.2.1`'] },
    ],
    ['rights that it must not have', { grants: [...grants, 'GRANT `shop`@`%` TO `s_0000000000000001`@`192.0.2.1`'] }],
    ['drop user s_0000000000000001 from %, which no web server', { hosts: ['%', '192.0.2.1'] }],
  ])('plans: %s', async (says, more) => {
    expect(summaries(await engine.plan(service, spec, contextOf(standing(more)))).join()).toContain(says);
  });

  it('ends the connections of an account that it drops, also when one ends by itself meanwhile', async () => {
    const open = new Set(['7', '8', '9']);
    const killed: string[] = [];
    const host = hostWith((sql) => {
      if (sql.includes("'d_0")) return undefined;
      if (sql.includes('FROM mysql.user')) return { stdout: `192.0.2.1\t${json(sound)}\n` };
      if (sql.includes('processlist')) return { stdout: [...open].map((id) => `KILL ${id};\n`).join('') };
      if (!sql.startsWith('KILL')) return undefined;
      for (const [, id = ''] of sql.matchAll(/KILL ([0-9]+);/g)) {
        open.delete(id);
        if (id === '8') return { code: 1, stderr: 'ERROR 1094 (HY000) at line 2: Unknown thread id: 8' };
        killed.push(id);
      }
      return undefined;
    });
    await runChanges(await engine.remove(service, spec.siteId, undefined, contextOf(host)), contextOf(host));
    expect(killed).toEqual(['7', '9']);
  });

  it('lets it listen by a file that is read after the package’s own', async () => {
    let address = '127.0.0.1';
    const host = hostWith((sql, { argv }) => {
      if (argv.includes('--print-defaults')) return { stdout: '--bind-address=127.0.0.1 --bind-address=*' };
      if (!sql.includes('@@bind_address')) return undefined;
      const stdout = `${address}\t0\n`;
      address = '*';
      return { stdout };
    });
    await runChanges(await engine.prepare(service, contextOf(host)), contextOf(host));
    expect(await host.files.read('/etc/mysql/mysql.conf.d/zz-aegir.cnf')).toMatch(/^\[mysqld\]\nbind-address = \*$/m);
  });

  it('says MySQL where people read it, and keeps hashes out of causes', async () => {
    await expect(engine.plan(service, spec, contextOf(createFakeHost()))).rejects.toThrow(
      /MySQL is not installed.*mysql-server/,
    );
    const refused = hostWith(() => ({ code: 1, stderr: "ERROR 1698 (28000): Access denied, '$A$005$abc'" }));
    await expect(engine.plan(service, spec, contextOf(refused))).rejects.toMatchObject({
      message: expect.stringMatching(/administer MySQL by its socket.*auth_socket/),
      cause: expect.not.stringContaining('005'),
    });
  });
});
