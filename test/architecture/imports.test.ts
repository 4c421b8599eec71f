// Holds the import rules of the house: who may import whom. A new folder needs a line here.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;

/** Area of a file: the longest key that its path starts with. Values: areas it may import, besides itself and shared. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'shared/gen': [],
  shared: ['shared/gen'],
  'master/store': [],
  'master/ca': ['master/store'],
  'master/event': ['master/store'],
  'master/mesh': ['master/store', 'master/ca'],
  'master/graph': ['master/store'],
  'master/report': ['master/graph', 'master/store'],
  'master/plan': ['master/graph', 'master/store'],
  'master/listen': ['master/session/rate-limit.ts'],
  'master/session': ['master/store', 'master/ca', 'master/listen'],
  'master/task': ['master/session', 'master/plan', 'master/report', 'master/graph', 'master/store', 'master/event'],
  'master/admin': ['master/graph', 'master/plan', 'master/task', 'master/session', 'master/store'],
  'master/api': ['master/admin', 'master/ca', 'master/listen'],
  'master/cli': [],
  'master/config.ts': [],
  'master/bootstrap.ts': ['master/admin', 'master/ca', 'master/store'],
  'master/install.ts': ['master/config.ts'],
  'master/run.ts': ['*'],
  'master/main.ts': ['*'],
  'agent/host': [],
  'agent/app': ['agent/engine/engine.ts', 'agent/host'],
  'agent/engine/engine.ts': ['agent/host', 'agent/app'],
  'agent/engine/engines.ts': ['agent/engine'],
  'agent/engine/conformance': ['agent/engine', 'agent/host'],
  'agent/engine/http/config': ['agent/engine/engine.ts', 'agent/host'],
  'agent/engine/http/fpm': ['agent/engine/engine.ts', 'agent/engine/http/config', 'agent/host'],
  'agent/engine/http': ['agent/engine/engine.ts', 'agent/engine/http/config', 'agent/engine/http/fpm', 'agent/host'],
  'agent/engine/db': ['agent/engine/engine.ts', 'agent/host'],
  'agent/engine/dns': ['agent/engine/engine.ts', 'agent/host'],
  'agent/engine/file': ['agent/engine/engine.ts', 'agent/host'],
  'agent/backup': ['agent/mesh', 'agent/host'],
  'agent/backup/store': ['agent/backup', 'agent/engine', 'agent/mesh', 'agent/host'],
  'agent/mesh': [],
  'agent/main.ts': ['*'],
  agent: ['agent/backup', 'agent/engine', 'agent/app', 'agent/host', 'agent/mesh'],
  deploy: ['master', 'agent'],
  test: ['master', 'agent', 'deploy'],
};

/** Pure places: no I/O, clock or randomness. */
const PURE = ['master/graph/', 'master/plan/', 'master/report/'];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function sources(dir: string): string[] {
  return readdirSync(join(root, dir), { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'testdata' ? [] : sources(path);
    return path.endsWith('.ts') && !path.endsWith('.test.ts') ? [path] : [];
  });
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const found = text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'(\.[^']+)'/gm);
  return [...found].map((match) => ({
    from: file,
    to: normalize(join(dirname(file), match[2] ?? '')),
    typeOnly: match[1] !== undefined,
  }));
}

function areaOf(path: string): string {
  const areas = Object.keys(MAY_IMPORT).filter((area) => path === area || path.startsWith(`${area}/`));
  const longest = areas.sort((a, b) => b.length - a.length)[0];
  if (longest === undefined) throw new Error(`${path} is in no area that this test knows`);
  return longest;
}

const files = ['shared', 'master', 'agent', 'deploy'].flatMap(sources);

test('the rules see the house', () => {
  expect(files.length).toBeGreaterThan(50);
  expect(files.flatMap(importsOf).length).toBeGreaterThan(200);
});

test('every import follows the rules', () => {
  const wrong = files.flatMap(importsOf).filter(({ from, to, typeOnly }) => {
    const [source, target] = [areaOf(from), areaOf(to)];
    if (source === target || target === 'shared' || target === 'shared/gen')
      return source.startsWith('shared/gen') && target === 'shared';
    const allowed = MAY_IMPORT[source] ?? [];
    if (allowed.includes('*')) return false;
    if (allowed.some((area) => to === area || to.startsWith(`${area}/`))) return false;
    // Contracts may be named as types by those that are handed an implementation.
    return !(
      typeOnly &&
      /\/(agents|handler|plan|model|store|engine|app|host|mesh|deps|verbs)\.ts$/.test(to) &&
      source.split('/')[0] === target.split('/')[0]
    );
  });
  expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
});

test('the api never touches the store', () => {
  const wrong = files
    .filter((file) => file.startsWith('master/api/'))
    .flatMap(importsOf)
    .filter(({ to, typeOnly }) => to.startsWith('master/store/') && !typeOnly);
  expect(wrong).toEqual([]);
});

test('SQL stands under master/store only', () => {
  const wrong = files.filter(
    (file) =>
      !file.startsWith('master/store/') &&
      /from '(kysely|pg|node:sqlite)'/.test(readFileSync(join(root, file), 'utf8')),
  );
  // The agent's journal and the database engines speak of other databases than the master's.
  expect(wrong.filter((file) => !file.startsWith('agent/'))).toEqual([]);
});

test.each(PURE)('%s is pure', (area) => {
  const impure = /\bDate\.now\(|new Date\(\)|Math\.random|from 'node:(?!url)|process\./;
  const wrong = files.filter((file) => file.startsWith(area) && impure.test(readFileSync(join(root, file), 'utf8')));
  expect(wrong).toEqual([]);
});

test('no utils, no helpers, no barrels, no default exports', () => {
  const named = files.filter((file) => /(^|\/)(utils?|helpers?|common|misc|index)(\.ts$|\/)/.test(file));
  expect(named).toEqual([]);
  const defaults = files.filter((file) => /^export default /m.test(readFileSync(join(root, file), 'utf8')));
  expect(defaults).toEqual([]);
});

test('every file says first what it is responsible for, and none is endless', () => {
  const own = files.filter((file) => !file.startsWith('shared/gen/'));
  const silent = own.filter((file) => !/^(#!.*\n)?\/\/ /.test(readFileSync(join(root, file), 'utf8')));
  expect(silent).toEqual([]);
  const long = own.filter((file) => readFileSync(join(root, file), 'utf8').split('\n').length > 400);
  expect(long).toEqual([]);
});

test('the top level holds what it should and nothing else', () => {
  const allowed = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'proto',
    'master',
    'agent',
    'shared',
    'deploy',
    'test',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'node_modules',
    'dist',
  ];
  const others = readdirSync(root).filter((name) => !name.startsWith('.') && !allowed.includes(name));
  expect(others).toEqual([]);
});
