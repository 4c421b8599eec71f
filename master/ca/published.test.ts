// Proofs are looked for at each name server that leads to a zone.
import { expect, test } from 'vitest';
import { type Asked, published } from './published.ts';

const NAME = '_acme-challenge.example.org';
const proofs = [{ name: NAME, data: 'the proof' }];
const none = (code: string) => Promise.reject(Object.assign(new Error(code), { code }));

/** What each name server answers for the proof: its texts, or an error's code. */
function world(servers: Readonly<Record<string, readonly string[] | string>>) {
  return ([address]: readonly string[]): Asked => ({
    resolveNs: () => (Object.keys(servers).length === 0 ? none('ENOTFOUND') : Promise.resolve(Object.keys(servers))),
    resolve4: (async (name: string) => (name === 'nowhere' ? none('ENOTFOUND') : [name])) as never,
    resolve6: (() => none('ENODATA')) as never,
    resolveTxt: async (name) => {
      const said = servers[address ?? ''] ?? 'ENOTFOUND';
      if (typeof said === 'string' || name !== NAME) return none(String(said));
      // Long texts come in parts.
      return said.map((text) => [text.slice(0, 3), text.slice(3)]);
    },
  });
}

test.each<readonly [string, Parameters<typeof world>[0], boolean]>([
  ['all have it', { one: ['the proof'], two: ['another', 'the proof'] }, true],
  ['one has a former one', { one: ['the proof'], two: ['another'] }, false],
  ['one has none yet', { one: ['the proof'], two: 'ENOTFOUND' }, false],
  ['one has the name without it', { one: ['the proof'], two: 'ENODATA' }, false],
  ['one does not answer', { one: ['the proof'], two: 'ETIMEOUT' }, true],
  ['one has no address', { one: ['the proof'], nowhere: [] }, true],
  ['nobody leads to the zone', {}, true],
])('%s', async (_, servers, seen) => {
  expect(await published('example.org', proofs, world(servers))).toBe(seen);
});
