// A real site is copied, on its server and to another one: the copy says its own URL, also in what PHP serialised, and the
// site that was copied is as it was.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { type ChangeResponse, PlatformServiceService, SiteServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { MoveServiceService } from '../../shared/gen/aegir/v1/move_admin.ts';
import { addWordpress, finish, type Machine, startMachine } from './machine.ts';
import { installSite, SITE } from './site-tasks.ts';
import { sql } from './sql.ts';
import { startWeb2 } from './web2.ts';

const [WEB1, WEB2] = ['127.0.1.1', '127.0.1.3'];
let machine: Machine;
let siteId = '';
let port = 0;

const link = () => machine.connection();
const siteOf = (site: string) => link().call(SiteServiceService.getSite, { site });
const database = (id: string) => `site_${id.slice('site-'.length)}`;
const url = (name: string) => `http://${name}:${port}`;

async function done(change: Promise<ChangeResponse>): Promise<string> {
  const { task, events } = await finish(machine, (await change).taskId);
  const said = events.flatMap(({ body }) => (body?.$case === 'log' ? [body.value.text] : []));
  expect([task.verb, task.state, task.reason, task.state === 'succeeded' ? [] : said]).toEqual([
    ...[task.verb, 'succeeded', ''],
    [],
  ]);
  const message = events.find((event) => event.body?.$case === 'message' && event.body.value.kind === 'link');
  return message?.body?.$case === 'message' ? message.body.value.value : '';
}

function clone(newName: string, platform = '') {
  const how = { platform, db: '', dns: '', client: '', options: undefined };
  return link().call(MoveServiceService.cloneSite, { site: SITE, newName, ...how });
}

const serialised = (at: string) => `a:2:{s:1:"u";s:${at.length + 2}:"${at}/x";s:1:"n";i:7;}`;

/** What the option that the test left says, byte for byte, and what posts say. */
function content(id: string, server: string) {
  const table = (name: string) => `${database(id)}.wp_${name}`;
  return {
    option: sql(machine, `SELECT option_value FROM ${table('options')} WHERE option_name = 'planted'`, server),
    home: sql(machine, `SELECT option_value FROM ${table('options')} WHERE option_name IN ('home','siteurl')`, server),
    posts: sql(machine, `SELECT post_content FROM ${table('posts')} WHERE post_type = 'post' ORDER BY ID`, server),
  };
}

beforeAll(async () => {
  machine = await startMachine();
  port = machine.layout.ports.web1.nginx;
  await startWeb2(machine, true);
  await addWordpress(machine);
  const second = { name: 'wordpress2', root: '/usr/share/wordpress', service: 'web2/nginx', app: '' };
  await done(link().call(PlatformServiceService.addPlatform, { ...second, options: undefined }));
  const installed = await installSite(machine);
  siteId = installed.subjectId;
  await done(Promise.resolve(installed));
  sql(
    machine,
    `INSERT INTO ${database(siteId)}.wp_options (option_name, option_value) VALUES ('planted', '${serialised(url(SITE))}');
     UPDATE ${database(siteId)}.wp_posts SET post_content = '<a href="${url(SITE)}/a">a</a>' WHERE ID = 1`,
  );
});
afterAll(() => machine?.close());

test('copy.localhost is a site of its own', { tags: ['deep'] }, () =>
  isCopy('copy.localhost', '', WEB1, 'db1', 'db1/mariadb'),
);

test('far.localhost is a site of its own', () => isCopy('far.localhost', 'wordpress2', WEB2, 'web2', 'web2/mariadb'));

async function isCopy(name: string, platform: string, address: string, server: string, db: string): Promise<void> {
  const before = content(siteId, 'db1');
  const login = await done(clone(name, platform));
  const copy = await siteOf(name);
  expect(copy.state).toBe('enabled');
  expect(copy.id).not.toBe(siteId);
  expect(copy.bindings.map(({ service }) => service)).toContain(db);
  expect(content(copy.id, server)).toEqual({
    option: [serialised(url(name))],
    home: [url(name), url(name)],
    posts: [`<a href="${url(name)}/a">a</a>`],
  });
  const page = await createBrowser(address).get(`${url(name)}/`);
  expect(page.status).toBe(200);
  expect(page.body).toContain(url(name));
  expect(page.body).not.toContain(SITE);
  expect((await createBrowser(address).get(login)).url).toContain('/wp-admin/');
  // The site that was copied is as it was, and serves.
  expect(content(siteId, 'db1')).toEqual(before);
  expect((await createBrowser(WEB1).get(`${url(SITE)}/`)).body).toContain(url(SITE));
}
