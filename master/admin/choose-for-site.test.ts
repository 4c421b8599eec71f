// What a new site runs on need not be named where there is one only; where more is missing than one, all of it is said at once.
import { expect, test } from 'vitest';
import { ids, platform, service, snapshot } from '../../test/records.ts';
import { createGraph } from '../graph/graph.ts';
import { chooseFor } from './choose-for-site.ts';

const NONE = { platform: '', db: '', client: '' };
const other = { ...platform, id: 'plat-0123456789abcde9', name: 'other', root: '/other' };
const second = service('svc-0123456789abcde9', ids.web1, 'db', 'mariadb', 3306);
const several = { ...snapshot, platforms: [platform, other], services: [...snapshot.services, second] };

test('one of each is taken', () => {
  const { platform: on, db, client } = chooseFor(createGraph(snapshot), NONE, 'a.example');
  expect([on.id, db?.id, client]).toEqual([ids.platform, ids.mariadb, undefined]);
});

test('of several all that is missing is said in one error, and how it is named', () => {
  const graph = createGraph(several);
  expect(() => chooseFor(graph, { ...NONE, client: 'Nobody' }, 'a.example')).toThrow(
    /^cannot choose a platform: .*wordpress, other by --platform; cannot choose a db service for site a\.example: .*db1\/mariadb, web1\/mariadb by --db; cannot find client.*Nobody/,
  );
  expect(() => chooseFor(graph, { ...NONE, platform: 'other' }, 'a.example')).toThrow(
    /^cannot choose a db [^;]*;[^;]*$/,
  );
  expect(chooseFor(graph, { ...NONE, platform: 'other', db: 'web1/mariadb' }, 'a.example').db?.id).toBe(second.id);
});

test('a database is asked for where each platform needs one, not where some do', () => {
  const graph = createGraph({ ...several, platforms: [platform, { ...other, app: 'static' }] });
  expect(() => chooseFor(graph, NONE, 'a.example')).toThrow(/^cannot choose a platform: there are several; [^;]*$/);
});
