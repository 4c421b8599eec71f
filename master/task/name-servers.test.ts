// Whether the public is still answered with what Aegir has marked as its own.
import { expect, test } from 'vitest';
import { publicMark } from './name-servers.ts';

const OWNER = 'site-0123456789abcde1';
const failing = (code: string) => async () => {
  throw Object.assign(new Error(code), { code });
};
const answering = (text: string) => async () => [['v=spf1 -all'], [text.slice(0, 9), text.slice(9)]];

test('a mark of the owner is told by its name', async () => {
  const seen = answering(`aegir owner=${OWNER} types=A,AAAA`);
  expect(await publicMark(['example.org'], OWNER, seen)).toBe('_aegir.example.org');
  expect(await publicMark(['example.org'], 'site-0123456789abcde2', seen)).toBeUndefined();
  expect(await publicMark(['example.org'], OWNER, answering('aegir is a god'))).toBeUndefined();
});

test('where there is no such name, nobody answers for it; what is in no public DNS is not asked for', async () => {
  expect(await publicMark(['example.org'], OWNER, failing('ENOTFOUND'))).toBeUndefined();
  expect(await publicMark(['example.org'], OWNER, failing('ENODATA'))).toBeUndefined();
  expect(await publicMark(['one.example.test', 'localhost'], OWNER, failing('ESERVFAIL'))).toBeUndefined();
});

test('what cannot be looked up is not taken for absent', async () => {
  await expect(publicMark(['example.org'], OWNER, failing('ESERVFAIL'))).rejects.toThrow(
    'cannot look _aegir.example.org up: ESERVFAIL',
  );
});
