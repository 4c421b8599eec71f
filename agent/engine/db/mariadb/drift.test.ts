import { describe, expect, it } from 'vitest';
import { accountDrift, grantDrift } from './drift.ts';
import { nativeHash } from './sql.ts';

const PASSWORD = 'right';
const sound = {
  access: 0,
  version_id: 101119,
  plugin: 'mysql_native_password',
  authentication_string: nativeHash(PASSWORD),
  ssl_type: 0,
  password_last_changed: 1795432957,
  password_lifetime: 0,
};
const drift = (change: object): readonly string[] =>
  accountDrift(JSON.stringify({ ...sound, ...change }), PASSWORD, false);

describe('an account', () => {
  it.each<[string, object]>([
    ['as it was made', {}],
    ['as it was altered', { auth_or: [{}], max_questions: 0, max_statement_time: 0.0, account_locked: false }],
    ['with rights, which are judged elsewhere', { access: 2 ** 64 }],
  ])('%s is as wanted', (_what, change) => expect(drift(change)).toEqual([]));

  it.each<[string, object]>([
    ['it was another one', { authentication_string: nativeHash('wrong') }],
    ['it was another one', { authentication_string: '' }],
    ['it was another one', { authentication_string: undefined }],
    ['it logged in by other means', { plugin: 'unix_socket' }],
    ['it logged in by other means', { plugin: undefined }],
    ['there was another way to log in', { auth_or: [{}, { plugin: 'unix_socket' }] }],
    ['there was another way to log in', { auth_or: 'what is this' }],
    ['TLS was demanded', { ssl_type: 1 }],
    ['TLS was demanded', { ssl_type: 3 }],
    ['it had limits', { max_questions: 5 }],
    ['it had limits', { max_user_connections: 1 }],
    ['it had limits', { max_statement_time: 0.5 }],
    ['it was locked', { account_locked: true }],
    ['it was expired', { password_last_changed: 0 }],
    ['it would expire', { password_lifetime: 90 }],
    ['it would expire', { password_lifetime: -1 }],
    ['it would expire', { password_lifetime: undefined }],
  ])('has drifted: %s (%j)', (why, change) => expect(drift(change)).toEqual([why]));

  it('has every reason named', () => {
    expect(drift({ plugin: 'ed25519', account_locked: true, max_updates: 2 })).toEqual([
      'it logged in by other means',
      'it had limits',
      'it was locked',
    ]);
  });

  it.each(['', 'null', '[', '7', 'NULL'])('that cannot be read (%j) has drifted', (json) => {
    expect(accountDrift(json, PASSWORD, false)).toEqual(['its properties could not be read']);
  });

  it('tells no secret', () => expect(drift({ authentication_string: '*X' }).join()).not.toMatch(/right|\*/));
});

describe('rights', () => {
  const user = 's_0000000000000001';
  const host = '192.0.2.1';
  const who = `\`${user}\`@\`${host}\``;
  const usage = `GRANT USAGE ON *.* TO ${who}`;
  const hashed = `${usage} IDENTIFIED BY PASSWORD '${nativeHash(PASSWORD)}'`;
  const all = `GRANT ALL PRIVILEGES ON \`site\\_0000000000000001\`.* TO ${who}`;
  const judged = (lines: readonly string[]) => grantDrift(lines, 'site_0000000000000001', user, host);

  it.each([
    ['as they were given', [hashed, all]],
    ['of an account without a hash', [usage, all]],
    [
      'of an account with another way in',
      [`${usage} IDENTIFIED VIA unix_socket OR ed25519 USING 'x' REQUIRE SSL`, all],
    ],
  ])('%s are as wanted', (_what, lines) => expect(judged(lines)).toEqual({ missing: false, extra: false }));

  it.each([
    ['nothing at all', [], true, false],
    ['no database', [hashed], true, false],
    ['a part of the database', [hashed, all.replace('ALL PRIVILEGES', 'SELECT, INSERT')], true, true],
    ['the database as a pattern', [hashed, all.replaceAll('\\', '')], true, true],
    ['another database', [hashed, all, all.replace('0001`.', '0002`.')], false, true],
    ['everything', [hashed.replace('USAGE', 'SELECT'), all], true, true],
    ['to pass rights on', [`${hashed} WITH GRANT OPTION`, all], true, true],
    ['to pass the database on', [hashed, `${all} WITH GRANT OPTION`], true, true],
    ['a role', [`GRANT \`r\` TO ${who}`, hashed, all], false, true],
    ['a default role', [hashed, all, `SET DEFAULT ROLE \`r\` FOR ${who}`], false, true],
    ['to be another', [hashed, all, `GRANT PROXY ON \`o\`@\`localhost\` TO ${who}`], false, true],
  ] as const)('to %s have drifted', (_what, lines, missing, extra) =>
    expect(judged(lines)).toEqual({ missing, extra }),
  );
});
