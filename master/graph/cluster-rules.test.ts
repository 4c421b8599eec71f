// Numbers of system users that all heads of a cluster share.
import { expect, test } from 'vitest';
import { graphOf, ids, service, site, snapshot } from '../../test/records.ts';
import { freshUid } from './cluster-rules.ts';
import { createGraph } from './graph.ts';

const front = service('svc-f1', ids.db1, 'http', 'cluster', 80, { instance: 'one', origin: 'declared' });
const sites = (...uids: number[]) =>
  uids.map((uid, n) => ({ ...site, id: `site-${n}`, name: `s${n}.example`, aliases: [], uid }));

test.each<readonly [string, readonly number[], number, number]>([
  ['the first', [], 0, 480_000],
  ['one after those that are there', [480_000, 0, 480_004], 0, 480_005],
  ['none of a site that is gone', [480_000], 480_006, 480_007],
  ['none of the lower ones that became free', [480_006], 480_003, 480_007],
  ['the second range after the first', [], 524_287, 2_010_000_000],
])('a site of a cluster gets %s', (_, uids, highestUid, expected) => {
  const graph = createGraph({ ...graphOf({ sites: sites(...uids) }), highestUid });
  expect(freshUid(graph, front)).toBe(expected);
});

test('a site of one server gets none from the master; when all were given it is said', () => {
  const all = createGraph({ ...snapshot, highestUid: 2_019_999_999 });
  expect(freshUid(all, all.service(ids.nginx))).toBe(0);
  expect(() => freshUid(all, front)).toThrow('cannot give the site a user number: all were given');
});
