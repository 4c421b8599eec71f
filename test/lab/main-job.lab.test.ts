// Row 2 on real systemd hosts, and the isolation of sites from each other; see fleet.ts for what is running where.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cutHost, execIn, healHost, labUnavailable, mustIn } from '../../deploy/lab/lab.ts';
import {
  aegir,
  aegirJson,
  createVisitor,
  DB1,
  isConnected,
  join_,
  MASTER,
  mustAegir,
  startFleet,
  stopFleet,
  until,
  WEB1,
} from './fleet.ts';
import { PROBE_PAGE, type Site, siteOf } from './probe-site.ts';
import { askStandardServices } from './reflection.ts';

const why = labUnavailable();
if (why !== undefined) console.warn(`SKIPPED: the lab, and with it everything on real systemd hosts: ${why}`);

describe.runIf(why === undefined)('on systemd hosts', () => {
  beforeAll(startFleet);
  afterAll(stopFleet);

  const web = `${WEB1.name}/nginx`;
  const db = `${DB1.name}/mariadb`;

  test('no host has Node', async () => {
    for (const { name } of [MASTER, WEB1, DB1])
      expect((await execIn(name, ['sh', '-c', 'command -v node'])).code).not.toBe(0);
  });

  test('the API answers the standard services for health and reflection', async () => {
    const read = (name: string) => mustIn(MASTER.name, ['cat', `/var/lib/aegir/${name}`]);
    const asked = await askStandardServices(`${MASTER.address}:7443`, await read('ca.pem'), await read('admin.token'));
    expect(asked.health).toBe('SERVING');
    expect(asked.services).toContain('aegir.v1.SiteService');
  });

  test('two servers join by the line that the master prints', async () => {
    for (const host of [WEB1, DB1]) {
      expect(await join_(host)).toMatch(/Joined as .*\n.*The agent runs/s);
      await until(`${host.name} to connect`, () => isConnected(host));
      expect(await mustIn(host.name, ['systemctl', 'is-active', 'aegir-agent'])).toBe('active');
    }
    await mustAegir('service', 'enable', web);
    await mustAegir('service', 'enable', `${WEB1.name}/null`);
    await mustAegir('service', 'enable', db);
  });

  test('a WordPress site is installed with its pages on one and its database on the other', async () => {
    await mustAegir('platform', 'add', 'wordpress', '/usr/share/wordpress', '--service', web);
    const said = await mustAegir(
      'site',
      'install',
      'shop.test',
      '--platform',
      'wordpress',
      '--db',
      db,
      '--title',
      'Shop',
    );
    const link = /http:\/\/shop\.test\/\S+/.exec(said)?.[0];
    expect(link).toBeDefined();
    const visitor = createVisitor();
    const home = visitor.get('http://shop.test/');
    expect(home.status).toBe(200);
    expect(home.body).toContain('<title>Shop');
    expect(visitor.get(link ?? '').body).toContain('id="wpadminbar"');
    visitor.close();
    const second = createVisitor();
    expect(second.get(link ?? '').body).not.toContain('id="wpadminbar"');
    second.close();
    expect(await mustIn(DB1.name, ['mariadb', '-Ne', "SHOW DATABASES LIKE 'site\\_%'"])).toMatch(/^site_\w+$/);
    expect(await mustIn(WEB1.name, ['sh', '-c', 'ls /var/lib/mysql | grep -c ^site_ || true'])).toBe('0');
  });

  describe('a stopped database server', () => {
    test('is told with what to do, and leaves nothing', async () => {
      await mustIn(DB1.name, ['systemctl', 'stop', 'mariadb']);
      const before = await traces();
      const { code, stderr } = await aegir('site', 'install', 'late.test', '--platform', 'wordpress', '--db', db);
      expect(code).toBe(1);
      expect(stderr).toMatch(/MariaDB.*;.*systemctl/s);
      expect(await traces()).toEqual(before);
      await mustIn(DB1.name, ['systemctl', 'start', 'mariadb']);
    });
  });

  describe('two sites of one server', () => {
    let one: Site;
    let two: Site;

    beforeAll(async () => {
      await mustIn(WEB1.name, ['mkdir', '-p', '/srv/probe']);
      await mustIn(WEB1.name, ['tee', '/srv/probe/index.php'], PROBE_PAGE);
      await mustAegir('platform', 'add', 'probe', '/srv/probe', '--service', web);
      for (const name of ['one.test', 'two.test'])
        await mustAegir('site', 'install', name, '--platform', 'probe', '--db', db);
      one = await siteOf('one.test');
      two = await siteOf('two.test');
    });

    test('run as users of their own, who own what they should', async () => {
      expect(one.user).not.toBe(two.user);
      expect(one.ask('whoami')).toBe(one.user);
      expect(two.ask('whoami')).toBe(two.user);
      const stat = (path: string) => mustIn(WEB1.name, ['stat', '--format', '%U:%G %a', path]);
      expect(await stat(`${one.dir}/config`)).toBe(`root:${one.user} 750`);
      expect(await stat(`${one.dir}/config/settings.php`)).toBe(`root:${one.user} 440`);
      expect(await stat(`${one.dir}/private`)).toBe(`${one.user}:${one.user} 700`);
      expect(await stat(`${one.dir}/files`)).toBe(`${one.user}:www-data 2750`);
      expect(await mustIn(WEB1.name, ['getent', 'passwd', one.user])).toMatch(/nologin$/);
    });

    test('keep files and settings from each other', async () => {
      for (const site of [one, two]) expect(site.ask('write', `${site.dir}/private/own`)).toBe('written');
      expect(one.ask('read', `${one.dir}/private/own`)).toMatch(/^read /);
      expect(one.ask('read', `${one.dir}/config/settings.php`)).toMatch(/^read /);
      const others = [
        `${two.dir}/private/own`,
        `${two.dir}/config/settings.php`,
        `${two.dir}/config`,
        `${two.dir}/files`,
        `${two.dir}/tmp`,
        `${two.dir}/sessions`,
        `/var/log/aegir/site-${two.id}/access.log`,
        '/var/lib/aegir-agent/identity.json',
        '/etc/shadow',
      ];
      for (const path of others) {
        expect(one.ask('read', path), path).toBe('refused');
        // open_basedir is the first wall; the owner and mode of the files are the second, and must hold alone.
        const ran = await execIn(WEB1.name, ['runuser', '-u', one.user, '--', 'ls', '-l', `${path}/.`]);
        const seen = await execIn(WEB1.name, ['runuser', '-u', one.user, '--', 'cat', path]);
        expect([ran.code === 0, seen.code === 0], path).toEqual([false, false]);
      }
      expect(one.ask('write', `${two.dir}/files/x`)).toBe('refused');
      expect(one.ask('write', `${one.dir}/docroot/x.php`)).toBe('refused');
      expect(one.ask('write', '/tmp/x')).toBe('refused');
    });

    test("cannot reach each other's PHP", async () => {
      expect(one.ask('socket', two.socket)).toBe('refused');
      const ran = await execIn(WEB1.name, [
        'runuser',
        '-u',
        one.user,
        '--',
        'curl',
        '--unix-socket',
        two.socket,
        'http://x/',
      ]);
      expect(ran.code).toBe(7);
    });

    test("cannot reach each other's database", async () => {
      expect(one.ask('database', one.database)).toBe('connected');
      expect(one.ask('database', two.database)).toBe('refused');
      // And nobody from elsewhere gets in with the right password either.
      const password = await mustIn(WEB1.name, [
        'sh',
        '-c',
        `php -r 'include "${one.dir}/config/settings.php"; echo AEGIR_DB_PASSWORD;'`,
      ]);
      const elsewhere = await execIn(MASTER.name, [
        'sh',
        '-c',
        `command -v mariadb >/dev/null && MYSQL_PWD='${password}' mariadb -h ${DB1.address} -u ${one.databaseUser} ${one.database} -e 'SELECT 1'`,
      ]);
      expect(elsewhere.code).not.toBe(0);
      expect(elsewhere.stderr).toMatch(/Access denied|not allowed/i);
    });

    test('go without a trace', async () => {
      await mustAegir('site', 'delete', 'two.test', '--yes');
      const found = (await traces()).filter((line) => line.includes(two.id));
      expect(found).toEqual([]);
      expect(one.ask('whoami')).toBe(one.user);
    });
  });

  describe('an agent', () => {
    test('that is killed comes back', async () => {
      const pid = () => mustIn(WEB1.name, ['systemctl', 'show', '--property', 'MainPID', '--value', 'aegir-agent']);
      const before = await pid();
      await mustIn(WEB1.name, ['kill', '-9', before]);
      await until('systemd to start it again', async () => !['0', before].includes(await pid()));
      await until('its session', () => isConnected(WEB1));
      await mustAegir('site', 'verify', 'shop.test');
    });

    test('whose host loses power comes back with its sites', async () => {
      const { crashHost, startHost, buildBase } = await import('../../deploy/lab/lab.ts');
      await crashHost(WEB1.name);
      await until('the master to notice', async () => !(await isConnected(WEB1)), 90_000);
      await startHost(WEB1, await buildBase());
      await until('its session', () => isConnected(WEB1));
      const visitor = createVisitor();
      await until('the site', async () => visitor.get('http://shop.test/').status === 200);
      visitor.close();
    });

    test('that is cut off waits, and its task goes on when the link is back', async () => {
      await cutHost(WEB1.name);
      let task: { readonly taskId: string };
      try {
        task = JSON.parse(await mustAegir('site', 'disable', 'shop.test', '--no-wait', '--output', 'json'));
        await until('the master to notice', async () => !(await isConnected(WEB1)), 90_000);
      } finally {
        await healHost(WEB1.name);
      }
      await mustAegir('task', 'watch', task.taskId);
      const visitor = createVisitor();
      expect(visitor.get('http://shop.test/').status).toBe(503);
      visitor.close();
      await mustAegir('site', 'enable', 'shop.test');
    });
  });

  test('a master that is killed comes back, and nothing is lost', async () => {
    const pid = () => mustIn(MASTER.name, ['systemctl', 'show', '--property', 'MainPID', '--value', 'aegir-master']);
    const sites = await aegirJson<readonly unknown[]>('site', 'list');
    const before = await pid();
    await mustIn(MASTER.name, ['kill', '-9', before]);
    await until('systemd to start it again', async () => (await aegir('status')).code === 0);
    await until('the sessions', async () => (await isConnected(WEB1)) && (await isConnected(DB1)));
    expect(await aegirJson('site', 'list')).toEqual(sites);
  });
});

/** Everything of any site on the hosts. */
async function traces(): Promise<string[]> {
  const web = await mustIn(WEB1.name, [
    'sh',
    '-c',
    'ls -d /var/aegir/sites/* /etc/nginx/conf.d/* /etc/php/*/fpm/pool.d/* /run/php/* /run/aegir/* /var/log/aegir/* /etc/logrotate.d/* /etc/tmpfiles.d/* 2>/dev/null; getent passwd | grep ^aegir; getent group | grep ^aegir; true',
  ]);
  const ask =
    "SHOW DATABASES; SELECT CONCAT(user, '@', host) FROM mysql.user; SELECT CONCAT(user, ' on ', db) FROM mysql.db";
  const db = await execIn(DB1.name, ['mariadb', '-Ne', ask]);
  return [...web.split('\n'), ...(db.code === 0 ? db.stdout.split('\n') : [])];
}
