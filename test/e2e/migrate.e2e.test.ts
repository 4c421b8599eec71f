// A real site moves between two web servers and two databases while visitors read and write: no request fails, nothing
// that was written is lost or doubled, nothing is left where it was, and on the way back only what changed travels.
import { createCipheriv, randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { until } from '../../deploy/up/processes.ts';
import {
  type ChangeResponse,
  PlatformServiceService,
  ServerServiceService,
  ServiceServiceService,
  type Site,
  SiteServiceService,
  type Task,
} from '../../shared/gen/aegir/v1/admin.ts';
import { MoveServiceService } from '../../shared/gen/aegir/v1/move_admin.ts';
import { addWordpress, finish, type Machine, startMachine } from './machine.ts';
import { installSite, SITE } from './site-tasks.ts';
import { sql } from './sql.ts';
import { startWeb2, WEB2 } from './web2.ts';

const WEB1 = '127.0.1.1';
const never = new AbortController().signal;
const options = undefined;
/** Between two visitors: what two cores carry beside the fleet itself. */
const EVERY_MS = 200;
/** Who waits for an answer at once: where a machine is slower than that, those who wait must not become more and more. */
const MOST_READERS = 12;
let machine: Machine;
let port = 0;
let siteId = '';
/** Of the administrator, who may write as often as he likes. */
let cookies = '';

const link = () => machine.connection();
const host = (server: string, ...path: string[]) => join(machine.layout.dir, server, 'host', ...path);
const site = (): Promise<Site> => link().call(SiteServiceService.getSite, { site: SITE });

async function loginLink(): Promise<string> {
  const { taskId } = await link().call(SiteServiceService.loginSite, { site: SITE, account: '', options });
  const { events } = await finish(machine, taskId);
  const message = events.find((event) => event.body?.$case === 'message' && event.body.value.kind === 'link');
  return message?.body?.$case === 'message' ? message.body.value.value : '';
}

async function done(change: Promise<ChangeResponse>): Promise<Task & { readonly story: string }> {
  const { task, events } = await finish(machine, (await change).taskId);
  const story = events
    .flatMap(({ body }) => (body?.$case === 'log' || body?.$case === 'message' ? [body.value.text] : []))
    .join('\n');
  if (task.state !== 'succeeded') console.log(story);
  expect([task.verb, task.state, task.reason]).toEqual([task.verb, 'succeeded', '']);
  return { ...task, story };
}

beforeAll(async () => {
  machine = await startMachine();
  port = machine.layout.ports.web1.nginx;
  await startWeb2(machine, true);
  await addWordpress(machine);
  await done(
    link().call(PlatformServiceService.addPlatform, {
      ...{ name: 'wordpress2', root: '/usr/share/wordpress', service: 'web2/nginx', app: '', options },
    }),
  );
  siteId = (await installSite(machine)).subjectId;
  await until('the site to be installed', undefined, never, async () => (await site()).state === 'enabled');
  const browser = createBrowser(WEB1);
  await browser.get(await loginLink());
  cookies = browser.cookies();
  upload('web1');
});
afterAll(() => machine?.close());

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly millis: number;
}

/** A connection of its own, as a first-time visitor has. */
function ask(address: string, path: string, form?: Record<string, string>): Promise<Answer> {
  const began = performance.now();
  const body = form === undefined ? undefined : new URLSearchParams(form).toString();
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...{ host: address, port, path, method: body === undefined ? 'GET' : 'POST', agent: false, timeout: 90_000 },
        headers: {
          host: `${SITE}:${port}`,
          ...(cookies === '' ? {} : { cookie: cookies }),
          ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(parts).toString(),
            millis: performance.now() - began,
          }),
        );
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('no answer in 90 s')));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Reads and writes until told to stop: at the old address until its DNS answer has ended, then at the new one. */
function visitors(from: string, to: string, isThere: (site: Site) => boolean) {
  let address = from;
  let going = true;
  const following = (async () => {
    while (going && !(await site().then(isThere, () => false)))
      await new Promise((resolve) => setTimeout(resolve, 200));
    // As long as a resolver keeps the old answer.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    address = to;
  })();
  const failures: string[] = [];
  const longest = { millis: 0 };
  const written: string[] = [];
  let count = 0;
  const stamp = () => `${new Date().toISOString().slice(17, 23)} ${address}`;
  const note = (what: string, answer: Promise<Answer>, good: readonly number[]) =>
    answer.then(
      ({ status, millis }) => {
        count += 1;
        longest.millis = Math.max(longest.millis, millis);
        if (!good.includes(status)) failures.push(`${stamp()} ${what}: ${status}`);
        return good.includes(status);
      },
      (cause: Error) => {
        failures.push(`${stamp()} ${what}: ${cause.message}`);
        return false;
      },
    );
  const reading = (async () => {
    const open = new Set<Promise<unknown>>();
    while (going) {
      if (open.size < MOST_READERS) {
        const one: Promise<unknown> = note('GET', ask(address, '/'), [200]).finally(() => open.delete(one));
        open.add(one);
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    await Promise.all(open);
  })();
  const writing = (async () => {
    for (let n = 1; going; n++) {
      const comment = `word-${address.replaceAll('.', '-')}-${Date.now()}-${n}`;
      const form = {
        comment,
        author: 'Anne',
        email: `anne${n}@example.org`,
        comment_post_ID: '1',
        comment_parent: '0',
      };
      if (await note('POST', ask(address, '/wp-comments-post.php', form), [302])) written.push(comment);
    }
  })();
  return {
    failures,
    longest,
    written,
    count: () => count,
    async stop() {
      going = false;
      await Promise.all([reading, writing, following]);
    },
  };
}

function comments(server: string): readonly string[] {
  const table = `${names().database}.wp_comments`;
  return sql(machine, `SELECT comment_content FROM ${table} WHERE comment_content LIKE 'word-%'`, server);
}

/** Bytes that travelled of bytes of the site. */
function share(way: string, copied: Task['copied']): number {
  const [sent, all] = [Number(copied?.sentBytes), Number(copied?.siteBytes)];
  console.log(`${way}: ${sent} of ${all} bytes travelled, ${((100 * sent) / all).toFixed(1)} %`);
  return sent / all;
}

/** 30 MB of pictures and 10 MB of rows, as a site of some years has. */
function upload(server: string): void {
  const rows = 'SELECT seq AS id, SHA2(seq, 512) AS word FROM seq_1_to_80000';
  sql(machine, `USE ${names().database}; CREATE TABLE wp_words (PRIMARY KEY (id)) ${rows}`);
  const cipher = createCipheriv('aes-256-ctr', randomBytes(32), Buffer.alloc(16));
  const { uid, gid } = statSync(host(server, 'sites', siteId, 'files'));
  for (let month = 1; month <= 6; month++) {
    const dir = host(server, 'sites', siteId, 'files', String(month));
    mkdirSync(dir, { recursive: true });
    chownSync(dir, uid, gid);
    for (let picture = 0; picture < 50; picture++) {
      const file = join(dir, `picture-${picture}.jpg`);
      writeFileSync(file, cipher.update(Buffer.alloc(100_000)));
      chownSync(file, uid, gid);
    }
  }
}

function names() {
  return { database: `site_${siteId.slice('site-'.length)}` };
}

/** The hold is longer than by default: what is looked for here is no slow machine. */
function migrate(server: string, platform: string, db: string, noFollow = false, quietSeconds = 1) {
  return link().call(MoveServiceService.migrateSite, {
    ...{ site: SITE, server, platform, db, maxHoldMillis: 60_000, pastHold: '', quietSeconds, rounds: 2 },
    ...{ skipLead: false, backup: '', noBackup: false, noFollow, noDnsWait: false, options },
  });
}

test('the plan says what moves, how long visitors wait, and from where there is no way back', async () => {
  const planned = async (noFollow: boolean) => {
    const { plan } = await link().call(MoveServiceService.migrateSite, {
      ...{
        site: SITE,
        server: 'web2',
        platform: '',
        db: '',
        maxHoldMillis: 0,
        pastHold: '',
        quietSeconds: 0,
        rounds: 0,
      },
      ...{ skipLead: false, backup: '', noBackup: false, noFollow, noDnsWait: false },
      options: { planOnly: true, idempotencyKey: '' },
    });
    return plan;
  };
  const follows = (plan: Awaited<ReturnType<typeof planned>>) =>
    plan?.steps.some(({ kind }) => kind === 'replica.open');
  const plan = await planned(false);
  expect([follows(plan), follows(await planned(true))]).toEqual([true, false]);
  expect(plan?.summary).toBe(`Move ${SITE} to web2/nginx, onto platform wordpress2, its database to web2/mariadb`);
  expect(plan?.warnings.join('\n')).toMatch(/Visitors wait for about [0-9]+ s/);
  expect((await site()).platform).toBe('wordpress');
});

test('moves under visitors: no request fails, nothing written is lost or doubled', async () => {
  const load = visitors(WEB1, WEB2, ({ platform }) => platform === 'wordpress2');
  try {
    await until('visitors to have written', undefined, never, async () => load.written.length > 3);
    const { copied, story } = await done(migrate('web2', '', ''));
    expect(share('there', copied)).toBeGreaterThan(0.9);
    // What was written meanwhile came by the binary log, and no last copy was made.
    expect(story).toMatch(/changes: [0-9]+ transactions?, .*, [0-9]+ taken/);
    expect(story.match(/^database: /gm)).toHaveLength(1);
    expect(story).toMatch(/^the database followed: /m);
  } finally {
    await load.stop();
  }
  console.log(
    `migration: ${load.failures.length} of ${load.count()} requests failed, ${load.written.length} comments; the longest request took ${Math.round(load.longest.millis)} ms`,
  );
  expect(load.failures.slice(0, 20)).toEqual([]);
  const moved = await site();
  expect(moved.platform).toBe('wordpress2');
  expect(moved.bindings.map(({ service }) => service).sort()).toEqual(
    expect.arrayContaining(['web2/mariadb', 'web2/nginx', 'web2/null']),
  );
  expect([...comments('web2')].sort()).toEqual([...load.written].sort());
});

test('nothing is left where it was', async () => {
  expect(existsSync(host('web1', 'sites', siteId))).toBe(false);
  const databases = sql(machine, 'SHOW DATABASES');
  expect(databases).not.toContain(names().database);
  expect(sql(machine, "SHOW TABLES IN mysql LIKE 'aegir%'")).toEqual([]);
  const users = sql(machine, 'SELECT user FROM mysql.user');
  expect(users.filter((user) => user.includes(siteId.slice(-16)))).toEqual([]);
});

test('its owner logs in where it is now', async () => {
  expect((await createBrowser(WEB2).get(await loginLink())).url).toContain('/wp-admin/');
});

test('off its server to one that has no place for its database it stays whole, and that is said before anything moves', async () => {
  const evacuate = (planOnly: boolean) =>
    link().call(MoveServiceService.migrateMany, {
      ...{ fromPlatform: '', fromServer: 'web2', toPlatform: '', toServer: 'web1', db: '', atOnce: 0, stopAfter: 0 },
      ...{ maxHoldMillis: 0, pastHold: '', quietSeconds: 0, rounds: 0, skipLead: true, backup: '', noBackup: false },
      ...{ noFollow: false, noDnsWait: false, planOnly },
    });
  const why =
    /^cannot move the database of .* to web1: no mariadb is enabled there; enable one, or name another by --db$/;
  expect((await evacuate(true)).sites).toMatchObject([{ state: 'skipped', why: expect.stringMatching(why) }]);
  await expect(evacuate(false)).rejects.toThrow(/no site can; .* no mariadb is enabled there/);
  expect((await site()).platform).toBe('wordpress2');
});

test('and back, only what changed travels, also where the database is copied as visitors wait', {
  tags: ['deep'],
}, async () => {
  const load = visitors(WEB2, WEB1, ({ platform }) => platform === 'wordpress');
  try {
    await until('visitors to have written', undefined, never, async () => load.written.length > 3);
    const { copied, story } = await done(migrate('web1', 'wordpress', 'db1/mariadb', true));
    expect(share('back', copied)).toBeLessThan(0.1);
    expect(story).not.toMatch(/the database followed/);
    expect(story).toMatch(/database: 1\d\.\d MiB, read/);
  } finally {
    await load.stop();
  }
  expect(load.failures).toEqual([]);
  expect((await site()).bindings.map(({ service }) => service)).toContain('web1/null');
  expect(
    comments('db1')
      .filter((word) => load.written.includes(word))
      .sort(),
  ).toEqual([...load.written].sort());
});

test('what it leaves stays while it is on its way, and what lies where it is not is named', {
  tags: ['deep'],
}, async () => {
  const { taskId } = await migrate('web2', '', '', true, 20);
  const remove = { platform: 'wordpress', confirm: true, options };
  await until('the site to be at its new place', undefined, never, async () => (await site()).platform !== 'wordpress');
  const works = `task ${taskId}, site.migrate of ${SITE}, works with it (it only goes forward; see: aegir task show ${taskId})`;
  await expect(link().call(PlatformServiceService.removePlatform, remove)).rejects.toThrow(
    `cannot remove platform wordpress: ${works}`,
  );
  const database = { service: 'db1/mariadb', options };
  await expect(link().call(ServiceServiceService.disableService, database)).rejects.toThrow(
    `cannot take db1/mariadb out of use: ${works}`,
  );
  const { task } = await finish(machine, taskId);
  expect([task.state, task.reason]).toEqual(['succeeded', '']);
  const verify = () =>
    done(link().call(ServerServiceService.verifyServer, { server: 'web1', checkOnly: false, options }));
  expect((await verify()).story).not.toContain('of it is left here');
  // As of a move that was given up.
  const left = host('web1', 'sites', siteId);
  mkdirSync(join(left, 'config'), { recursive: true });
  writeFileSync(join(left, 'config/settings.php'), 'password');
  expect((await verify()).story).toContain(
    `${SITE}: it is not on this server, and of it is left here: directory ${left}; nothing works with it any more`,
  );
  rmSync(left, { recursive: true });
  await link().call(PlatformServiceService.removePlatform, remove);
});
