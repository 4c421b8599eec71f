// The context that `up` keeps: another fleet's is not taken without a word.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { contextsPath, readContexts, writeContexts } from '../../master/cli/context.ts';
import { rememberContext } from './remember-context.ts';

const dir = mkdtempSync(join(tmpdir(), 'aegir-context-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const first = { address: '127.0.0.1:7443', ca: 'a', token: 's' };
const second = { address: '127.0.0.1:15003', ca: 'b', token: 't' };

test('a second fleet says whose the context was, with both addresses', () => {
  const env = { XDG_CONFIG_HOME: join(dir, 'two') };
  expect(rememberContext(env, first, '/one')).toBeUndefined();
  expect(rememberContext(env, { ...first, token: 'new' }, '/one')).toBeUndefined();
  expect(rememberContext(env, second, '/two')).toBe(
    'context up leads to the master of /two at 127.0.0.1:15003 now; it led to that at 127.0.0.1:7443',
  );
  expect(readContexts(contextsPath(env))).toEqual({ current: 'up', contexts: { up: second } });
  // The ports of one that does not run are free.
  expect(rememberContext(env, { ...second, ca: 'c' }, '/three')).toBe(
    'context up leads to the master of /three at 127.0.0.1:15003 now; it led to another master there',
  );
});

test('a context that somebody chose stays the current one', () => {
  const env = { XDG_CONFIG_HOME: join(dir, 'chosen') };
  writeContexts(contextsPath(env), { current: 'mine', contexts: { mine: second } });
  expect(rememberContext(env, first, '/one')).toBeUndefined();
  expect(readContexts(contextsPath(env))).toEqual({ current: 'mine', contexts: { mine: second, up: first } });
});
