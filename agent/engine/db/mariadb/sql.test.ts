import { describe, expect, it } from 'vitest';
import {
  account,
  createAccount,
  createDatabase,
  dropAccount,
  grant,
  grantPattern,
  identifier,
  literal,
  nativeHash,
  selectDatabase,
  wantedGrants,
} from './sql.ts';

describe('a quoted identifier', () => {
  it('is a plain name in backquotes', () => expect(identifier('site_1')).toBe('`site_1`'));

  it.each(['', 'a b', 'a`b', 'a.b', 'ä', 'a\n', 'a-b', 'x'.repeat(65)])('is never %j', (name) => {
    expect(() => identifier(name)).toThrow(/no plain name/);
  });
});

describe('a literal', () => {
  it.each([
    ['plain', "'plain'"],
    ['', "''"],
    ["o'clock''", "'o''clock'''''"],
    ['%_"`', `'%_"\`'`],
    ['🗝', "'🗝'"],
  ])('of %j is %s', (text, quoted) => expect(literal(text)).toBe(quoted));

  it.each(['a\\b', 'a\0b', 'a\nb', 'a\rb', 'a\x1ab'])('is refused of %j, which sql_mode may give a meaning', (text) => {
    expect(() => literal(text)).toThrow(/cannot quote/);
  });
});

describe('an account as found', () => {
  it.each([
    ['192.0.2.1', '`s_1`@`192.0.2.1`'],
    ['%', '`s_1`@`%`'],
    ['', '`s_1`@``'],
    ['10.0.0.0/255.0.0.0', '`s_1`@`10.0.0.0/255.0.0.0`'],
    ["x'; drop database y; --", "`s_1`@`x'; drop database y; --`"],
    ['a`@`b', '`s_1`@`a``@``b`'],
    ['back\\slash', '`s_1`@`back\\slash`'],
  ])('may be from %j', (host, quoted) => {
    expect(account('s_1', host)).toBe(quoted);
    expect(dropAccount('s_1', host)).toBe(`DROP USER IF EXISTS ${quoted};\nKILL USER ${quoted};`);
  });

  it('has no NUL, which no quotes hold', () => expect(() => account('s_1', 'a\0b')).toThrow(/NUL/));
  it('has a plain user', () => expect(() => account('s`1', '%')).toThrow(/no plain name/));
});

describe('a hash', () => {
  // MariaDB manual, PASSWORD().
  it.each([
    ['password', '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'],
    ['123456', '*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9'],
  ])('of %s is that of the server', (password, hash) => expect(nativeHash(password)).toBe(hash));
});

describe('a statement', () => {
  const user = 's_0000000000000001';
  const database = 'site_0000000000000001';

  it('gives rights on one database, whose "_" is no pattern', () => {
    expect(grantPattern(database)).toBe('`site\\_0000000000000001`');
    expect(grant(database, user, '192.0.2.1')).toBe(
      'GRANT ALL PRIVILEGES ON `site\\_0000000000000001`.* TO `s_0000000000000001`@`192.0.2.1`;',
    );
    expect(wantedGrants(database, user, '192.0.2.1')).toEqual([
      'GRANT USAGE ON *.* TO `s_0000000000000001`@`192.0.2.1`',
      'GRANT ALL PRIVILEGES ON `site\\_0000000000000001`.* TO `s_0000000000000001`@`192.0.2.1`',
    ]);
  });

  it('makes an account by hash, with nothing left of a former one', () => {
    const sql = createAccount(user, '192.0.2.1', nativeHash('password'), false);
    expect(sql).toMatch(
      /^CREATE OR REPLACE USER `s_0+1`@`192.0.2.1` IDENTIFIED VIA mysql_native_password USING '\*2470/m,
    );
    expect(sql.split('\n')).toEqual([
      'SET SESSION sql_log_off = 1, slow_query_log = 0;',
      expect.stringContaining('*2470'),
      'SET SESSION sql_log_off = DEFAULT, slow_query_log = DEFAULT;',
    ]);
  });

  it('compares names by case', () => expect(selectDatabase(database)).toContain('BINARY schema_name ='));
  it('makes a database for any character', () => expect(createDatabase(database)).toContain('CHARACTER SET utf8mb4'));
});
