import { describe, expect, it } from 'vitest';
import { createRole, identifier, isElsewhere, leaveRoles, literal, setPassword } from './sql.ts';

it.each(['', 'a b', 'a"b', 'A', 'ä', 'a\n', 'x'.repeat(64)])('%j is no name of ours', (name) => {
  expect(() => identifier(name)).toThrow(/no plain name/);
});

it.each([
  ['plain', "'plain'"],
  ["o'clock''", "'o''clock'''''"],
  ['a\\b', "'a\\b'"],
])('of %j the literal is %s', (text, quoted) => expect(literal(text)).toBe(quoted));
it('a literal has no NUL', () => expect(() => literal('a\0')).toThrow(/NUL/));

it('names of others are quoted as they are', () => {
  const found = [
    { role: 'a"; DROP DATABASE x; --', by: null },
    { role: 'b', by: 'Odd "one"' },
  ];
  expect(leaveRoles('s_1', found).split('\n')).toEqual([
    'REVOKE "a""; DROP DATABASE x; --" FROM "s_1" CASCADE;',
    'REVOKE "b" FROM "s_1" GRANTED BY "Odd ""one""" CASCADE;',
  ]);
});

describe.each([createRole, setPassword])('a verifier', (statement) => {
  it('is written down by the server nowhere but where it is kept', () => {
    const lines = statement('s_1', 'SCRAM-SHA-256$1:a$b:c', false).split('\n');
    const at = lines.findIndex((line) => line.includes('SCRAM'));
    expect(at).toBe(lines.length - 1);
    for (const setting of ['track_activities = off', "log_statement = 'none'", 'log_min_error_statement = panic']) {
      expect(lines.slice(0, at)).toContain(`SET ${setting};`);
    }
  });
});

it.each([
  [
    ['192.0.2.1', 'localhost'],
    "CASE WHEN client_addr IS NULL THEN false ELSE client_addr NOT IN ('192.0.2.1'::inet) END",
  ],
  [['2001:db8::1'], "CASE WHEN client_addr IS NULL THEN true ELSE client_addr NOT IN ('2001:db8::1'::inet) END"],
  [['localhost'], 'CASE WHEN client_addr IS NULL THEN false ELSE true END'],
  [[], 'CASE WHEN client_addr IS NULL THEN true ELSE true END'],
])('elsewhere than %j is %s', (from, says) => {
  expect(isElsewhere('site_1', from)).toBe(`datname IS DISTINCT FROM 'site_1' OR ${says}`);
});
