// No secret of an install stands in a log, a store or an argument vector: the database's password, the
// administrator's token, the login link's key.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addWordpress, finish, type Machine, startMachine } from './machine.ts';
import { installSite } from './site-tasks.ts';

let machine: Machine;
const vectors = new Set<string>();
let watching: NodeJS.Timeout;

beforeAll(async () => {
  watching = setInterval(seeVectors, 5);
  machine = await startMachine();
  await addWordpress(machine);
});

afterAll(async () => {
  clearInterval(watching);
  await machine?.close();
});

/** What any user of this machine can read of running programs. */
function seeVectors(): void {
  for (const pid of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(pid)) continue;
    try {
      vectors.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    } catch {
      // It ended while we looked.
    }
  }
}

test('an install leaves its secrets only where they belong', async () => {
  const done = await finish(machine, (await installSite(machine)).taskId);
  expect(done.task.state, done.task.reason).toBe('succeeded');
  const { dir, master } = machine.layout;
  const sites = join(dir, 'web1/host/sites');
  const settings = join(sites, readdirSync(sites)[0] ?? '', 'config/settings.php');
  const password = /DB_PASSWORD', '([^']+)'/.exec(readFileSync(settings, 'utf8'))?.[1] ?? '';
  const link = done.events.flatMap(({ body }) => (body?.$case === 'message' ? [body.value.value] : []))[0] ?? '';
  const token = readFileSync(join(master, 'admin.token'), 'utf8').trim();
  const secrets = [password, new URL(link).searchParams.get('aegir-login') ?? '', token];
  for (const secret of secrets) expect(secret.length).toBeGreaterThan(20);

  const belongs = new Set([settings, join(master, 'admin.token')]);
  // The agent's journal keeps the link, since a result must survive a crash: in a directory that only the agent enters.
  const state = join(dir, 'web1/agent');
  expect(statSync(state).mode & 0o077).toBe(0);
  const found = filesUnder(dir)
    .filter((path) => !belongs.has(path) && !path.startsWith(join(state, 'journal.db')))
    .flatMap((path) => {
      const bytes = readFileSync(path);
      return secrets.flatMap((secret, which) => (bytes.includes(secret) ? [`secret ${which} in ${path}`] : []));
    });
  expect(found).toEqual([]);
  expect(vectors.size).toBeGreaterThan(20);
  expect([...vectors].filter((vector) => secrets.some((secret) => vector.includes(secret)))).toEqual([]);
  // The one that may hold it is for the site's user and root alone; what the master keeps, for the master alone.
  expect(statSync(settings).mode & 0o007).toBe(0);
  expect(statSync(join(master, 'admin.token')).mode & 0o077).toBe(0);
  expect(statSync(master).mode & 0o077).toBe(0);
});

function filesUnder(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return filesUnder(path);
    return entry.isFile() ? [path] : [];
  });
}
