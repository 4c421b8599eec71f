// A site gets newer code where it is, while visitors read and write: code that does not answer is seen by none of them, and
// nothing that they wrote is lost; code that answers takes over without a failed request.
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../deploy/up/processes.ts';
import { SiteServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { MoveServiceService } from '../../shared/gen/aegir/v1/move_admin.ts';
import { breakHomePage } from '../fault/broken-code.ts';
import { startWriters, WORDS_TABLE, writableCode } from '../fault/writers.ts';
import { addPlatform, type Finished, finish, type Machine, startMachine } from './machine.ts';
import { installSite, SITE } from './site-tasks.ts';
import { sql } from './sql.ts';

const WEB1 = '127.0.1.1';
/** Of no server. */
const VISITOR = '127.0.9.9';
/** Each asks again when it has its answer, as people do: what waits is served at once then. */
const READERS = 4;
const PAUSE_MS = 100;
/** Longer than by default: what is looked for here is no slow machine. */
const HOLD_MS = 60_000;
const never = new AbortController().signal;
let machine: Machine;
let port = 0;
let database = '';

const platformOf = async () => (await machine.connection().call(SiteServiceService.getSite, { site: SITE })).platform;

/** Debian's, which says that it is of another version. */
function codeOf(version: string): string {
  const root = writableCode(machine.layout.dir, `code-${version}`);
  const file = join(root, 'wp-includes/version.php');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^\$wp_version = .*$/m, `$wp_version = '${version}';`));
  return root;
}

async function upgrade(platform: string): Promise<Finished> {
  const { taskId } = await machine.connection().call(MoveServiceService.migrateSite, {
    ...{ site: SITE, server: '', platform, db: '', maxHoldMillis: HOLD_MS, pastHold: '', quietSeconds: 1, rounds: 1 },
    ...{ skipLead: true, backup: '', noBackup: false, noFollow: false, noDnsWait: false, options: undefined },
  });
  return finish(machine, taskId);
}

/** What readers of the home page are answered, until they stop. */
function startReaders() {
  const answers: string[] = [];
  let going = true;
  const read = () =>
    new Promise<void>((resolve) => {
      const heard = (what: string) => {
        answers.push(what);
        resolve();
      };
      const headers = { host: `${SITE}:${port}` };
      const sent = request({ host: WEB1, port, path: '/', agent: false, localAddress: VISITOR, headers }, (answer) => {
        answer.resume();
        answer.on('end', () => heard(String(answer.statusCode)));
        answer.on('error', ({ message }) => heard(message));
      });
      sent.on('error', ({ message }) => heard(message));
      sent.end();
    });
  const reader = async () => {
    while (going) {
      await read();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const readers = Array.from({ length: READERS }, reader);
  return {
    async stop(): Promise<ReadonlyMap<string, number>> {
      going = false;
      await Promise.all(readers);
      return new Map([...Map.groupBy(answers, (answer) => answer)].map(([answer, all]) => [answer, all.length]));
    },
  };
}

/** What became of it, of readers and of words, each of which must be there. */
async function underVisitors(platform: string, first: number) {
  const readers = startReaders();
  const writers = startWriters(SITE, port, [WEB1], first);
  let finished: Finished;
  try {
    await until('visitors to have written', undefined, never, async () => writers.taken.length > 1);
    finished = await upgrade(platform);
    const then = writers.taken.length;
    await until('visitors to write again', undefined, never, async () => writers.taken.length > then + 1);
  } finally {
    await writers.stop();
  }
  const read = await readers.stop();
  const kept = new Set(sql(machine, `SELECT n FROM ${database}.visits`).map(Number));
  const lost = writers.taken.filter(({ n }) => !kept.has(n));
  return { finished, read, lost, written: writers.taken.length };
}

beforeAll(async () => {
  machine = await startMachine();
  port = machine.layout.ports.web1.nginx;
  await addPlatform(machine, 'wordpress', writableCode(machine.layout.dir));
  await addPlatform(machine, 'broken', breakHomePage(codeOf('9.8')));
  await addPlatform(machine, 'newer', codeOf('9.9'));
  const { task } = await finish(machine, (await installSite(machine)).taskId);
  expect(task.state).toBe('succeeded');
  database = `site_${task.subjectId.slice('site-'.length)}`;
  sql(machine, `CREATE TABLE ${database}.${WORDS_TABLE}`);
});
afterAll(() => machine?.close());

test('code that does not answer is seen by nobody, and no word is lost', async () => {
  const { finished, read, lost } = await underVisitors('broken', 1);
  expect(finished.task).toMatchObject({ state: 'failed' });
  expect(finished.task.reason).toContain('it answered 500');
  expect(await platformOf()).toBe('wordpress');
  expect(lost).toEqual([]);
  expect([...read.keys()]).toEqual(['200']);
});

test('code that answers takes over, and no request fails', async () => {
  const { finished, read, lost, written } = await underVisitors('newer', 10_001);
  expect([finished.task.state, finished.task.reason]).toEqual(['succeeded', '']);
  expect(await platformOf()).toBe('newer');
  expect(lost).toEqual([]);
  expect([...read.keys()]).toEqual(['200']);
  console.log(`upgrade in place: ${read.get('200')} pages, ${written} words, none failed`);
});
