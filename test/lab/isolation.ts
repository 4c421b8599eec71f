// Two sites of one web server: what the code of one can reach of the other, on real users, modes and grants. Each refusal
// stands beside the same thing done to what is the site's own, which must work.
import { beforeAll, expect, test } from 'vitest';
import { type Fleet, until } from './fleet.ts';
import { PROBE_PAGE, type Site, siteOf } from './probe-site.ts';
import { traces } from './traces.ts';
import { visit } from './visitor.ts';

const REFUSED = 'refused';
const YES = /^yes /;
/** Between two looks of cron, and some more. */
const MINUTE_MS = 90_000;

/** To be called in a describe; web1 and web2 must have their nginx enabled, db1 its MariaDB. */
export function isolationTests(theFleet: () => Fleet): void {
  let one: Site;
  let two: Site;
  let beforeTwo: readonly string[];
  const onWeb = (...argv: string[]) => theFleet().lab.exec(theFleet().web1.name, argv);
  const mustOnWeb = (...argv: string[]) => theFleet().lab.must(theFleet().web1.name, argv);
  /** Past open_basedir and all that PHP checks: with the rights of the site's user alone. */
  const asUser = (site: Site, ...argv: string[]) => onWeb('runuser', '-u', site.user, '--', ...argv);

  const mustAsUser = (site: Site, ...argv: string[]) => mustOnWeb('runuser', '-u', site.user, '--', ...argv);

  beforeAll(async () => {
    const { lab, must, web1, web2, db1 } = theFleet();
    for (const { name } of [web1, web2]) {
      await lab.must(name, ['mkdir', '-p', '/srv/probe']);
      await lab.must(name, ['tee', '/srv/probe/index.php'], PROBE_PAGE);
      await must('platform', 'add', `probe-${name}`, '/srv/probe', '--service', `${name}/nginx`);
    }
    const install = (site: string, web: string) =>
      must('site', 'install', site, '--platform', `probe-${web}`, '--db', `${db1.name}/mariadb`);
    await install('one.test', web1.name);
    one = await siteOf(theFleet(), web1, 'one.test');
    beforeTwo = await traces(theFleet());
    await install('two.test', web1.name);
    two = await siteOf(theFleet(), web1, 'two.test');
    for (const site of [one, two]) {
      expect(await site.ask('write', `${site.dir}/private/own`)).toMatch(YES);
      expect(await site.ask('write', `${site.dir}/tmp/own`)).toMatch(YES);
      expect(await site.ask('write', `${site.dir}/sessions/own`)).toMatch(YES);
      expect(await site.ask('write', `${site.dir}/files/own`)).toMatch(YES);
    }
  });

  test('each runs as a user of its own, and everything is owned as it should be', async () => {
    expect(one.user).not.toBe(two.user);
    for (const site of [one, two]) {
      expect(await site.ask('whoami')).toBe(site.user);
      expect(await mustOnWeb('getent', 'passwd', site.user)).toMatch(/nologin$/);
      expect(await mustOnWeb('id', '--groups', '--name', site.user)).toBe(site.user);
      const { user, dir } = site;
      const owned: readonly (readonly [string, string])[] = [
        [dir, 'root:root 711'],
        [`${dir}/docroot`, 'root:root 755'],
        [`${dir}/config`, `root:${user} 750`],
        [`${dir}/config/settings.php`, `root:${user} 440`],
        [`${dir}/files`, `${user}:www-data 2750`],
        [`${dir}/private`, `${user}:${user} 700`],
        [`${dir}/tmp`, `${user}:www-data 2700`],
        [`${dir}/sessions`, `${user}:${user} 700`],
        [site.socket, 'www-data:www-data 660'],
      ];
      for (const [path, is] of owned)
        expect(await mustOnWeb('stat', '--format', '%n %U:%G %a', path)).toBe(`${path} ${is}`);
    }
  });

  test('neither reads files, settings, sessions, temporary files or logs of the other, nor secrets of the host', async () => {
    expect(await one.ask('read', `${one.dir}/config/settings.php`)).toContain(one.database);
    expect(await one.ask('cat', `${one.dir}/config/settings.php`)).toContain(one.database);
    for (const path of ['private', 'tmp', 'sessions', 'files']) {
      expect(await one.ask('read', `${one.dir}/${path}/own`), path).toBe('yes x');
      expect(await one.ask('cat', `${one.dir}/${path}/own`), path).toBe('yes x');
      expect(await one.ask('list', `${one.dir}/${path}`), path).toContain('own');
    }
    expect(await one.ask('temporary')).toMatch(new RegExp(`^yes ${one.dir}/tmp/`));
    // The agent's own files, there to be read by root: the paths below are no misspellings.
    const secrets = ['/var/lib/aegir-agent/identity.json', '/etc/shadow', '/root/.bashrc', '/etc/mysql/debian.cnf'];
    const others = [
      ...['config/settings.php', 'private/own', 'tmp/own', 'sessions/own', 'files/own'].map((p) => `${two.dir}/${p}`),
      ...['access.log', 'error.log', 'php.log'].map((name) => `${two.logs}/${name}`),
      `/etc/nginx/sites-available/../../shadow`,
      ...secrets,
    ];
    for (const path of others) {
      expect((await onWeb('test', '-e', path)).code, `${path} must be there`).toBe(0);
      for (const way of ['read', 'cat']) expect(await one.ask(way, path), `${way} ${path}`).toBe(REFUSED);
      expect((await asUser(one, 'cat', path)).code, path).not.toBe(0);
    }
    const directories = ['', '/config', '/private', '/tmp', '/sessions', '/files'].map((name) => `${two.dir}${name}`);
    for (const path of [...directories, two.logs, '/var/aegir/sites', '/run/aegir', '/var/lib/aegir-agent', '/root']) {
      for (const way of ['list', 'ls']) expect(await one.ask(way, path), `${way} ${path}`).toBe(REFUSED);
    }
  });

  test('neither writes where it should not', async () => {
    const paths = [
      `${two.dir}/files/x`,
      `${two.dir}/tmp/x`,
      `${one.dir}/docroot/x.php`,
      `${one.dir}/config/settings.php`,
    ];
    for (const path of [...paths, '/tmp/x', '/srv/probe/index.php', '/var/www/html/x']) {
      expect(await one.ask('write', path), path).toBe(REFUSED);
    }
    for (const path of paths) expect((await asUser(one, 'cp', '/etc/hostname', path)).code, path).not.toBe(0);
  });

  test("neither leads the web server to the other's files by a link", async () => {
    const page = (name: string) => visit(theFleet().web1, `http://one.test/files/${name}`);
    expect(await page('own')).toEqual({ status: 200, body: 'x' });
    const links = [`${two.dir}/config/settings.php`, `${two.dir}/private/own`, `${two.logs}/access.log`, '/etc/shadow'];
    for (const [index, path] of links.entries()) {
      await mustAsUser(one, 'ln', '-s', path, `${one.dir}/files/link-${index}`);
      // Refused, or the page of the site answers as for any path that is no file.
      const { status, body } = await page(`link-${index}`);
      expect(status === 403 || body === 'probe', `${path}: ${status} ${body}`).toBe(true);
      // nginx reads as this user, whatever the path it is asked by.
      expect((await onWeb('runuser', '-u', 'www-data', '--', 'cat', path)).code, path).not.toBe(0);
    }
  });

  test("neither has the web server read the other's uploads by a link", async () => {
    await mustAsUser(one, 'ln', '-s', `${two.dir}/files/own`, `${one.dir}/files/link-uploads`);
    const { body } = await visit(theFleet().web1, 'http://one.test/files/link-uploads');
    expect(body).not.toBe('x');
  });

  test("neither speaks to the other's PHP, nor signals its processes", async () => {
    // The web server can, so that what refuses is not that nobody listens.
    const speak = (user: string) =>
      onWeb('runuser', '-u', user, '--', 'curl', '--max-time', '2', '--unix-socket', two.socket, 'http://x/');
    const COULD_NOT_CONNECT = 7;
    expect((await speak('www-data')).code).not.toBe(COULD_NOT_CONNECT);
    expect((await speak(one.user)).code).toBe(COULD_NOT_CONNECT);
    expect(await one.ask('socket', two.socket)).toBe(REFUSED);
    expect(await two.ask('whoami')).toBe(two.user);
    const worker = (await mustOnWeb('pgrep', '--oldest', '--uid', two.user)).trim();
    expect(await two.ask('kill', worker)).toMatch(YES);
    expect(await one.ask('kill', worker)).toBe(REFUSED);
    expect(await one.ask('cat', `/proc/${worker}/environ`)).toBe(REFUSED);
  });

  test("neither enters the other's database, and nobody does from another host", async () => {
    const { lab, must, web1, web2, db1 } = theFleet();
    expect(await one.ask('database', one.database)).toBe('yes connected');
    expect(await one.ask('database', two.database)).toBe(REFUSED);
    expect(await one.ask('database', 'mysql')).toBe(REFUSED);
    expect(await one.ask('databases')).toBe(`yes information_schema ${one.database}`);

    // With the right password: from the web server it works, from the other web server it does not.
    const [user = '', password = ''] = (await one.ask('credentials')).split(' ');
    const query = 'mariadb --connect-timeout=5 -h "$1" -u "$2" "$3" -e "SELECT 1"';
    const enter = (host: string, as: string, secret: string, database: string) =>
      lab.exec(host, ['env', `MYSQL_PWD=${secret}`, 'sh', '-c', query, 'sh', db1.address, as, database]);
    expect((await enter(web1.name, user, password, one.database)).code).toBe(0);
    const stranger = await enter(web2.name, user, password, one.database);
    expect([stranger.code === 0, stranger.stderr]).toEqual([false, expect.stringMatching(/denied|not allowed/i)]);

    // Not even when that server has a site of its own whose database is there.
    await must('site', 'install', 'far.test', '--platform', `probe-${web2.name}`, '--db', `${db1.name}/mariadb`);
    const far = await siteOf(theFleet(), web2, 'far.test');
    expect(await far.ask('database', far.database)).toBe('yes connected');
    expect(await far.ask('database', one.database)).toBe(REFUSED);
    expect((await enter(web2.name, user, password, one.database)).stderr).toMatch(/denied|not allowed/i);
    await must('site', 'delete', 'far.test', '--yes');
  });

  const expiry = async (site: Site) => (await mustOnWeb('getent', 'shadow', site.user)).split(':')[7];

  test('one that is disabled has an account that has ended until it is enabled, and the other has not', async () => {
    const { must } = theFleet();
    await must('site', 'disable', one.name);
    expect([await expiry(one), await expiry(two)]).toEqual(['1', '']);
    await must('site', 'enable', one.name);
    expect(await expiry(one)).toBe('');
  });

  const WHEN_DISABLED = 'one that is disabled is started by nobody: cron asks for its account; the other goes on';
  test(WHEN_DISABLED, { tags: ['deep'] }, async () => {
    const { lab, web1, must } = theFleet();
    const files = (site: Site) => `${site.dir}/files/cron`;
    for (const site of [one, two]) {
      const job = `* * * * * /bin/date +\\%H:\\%M >>${files(site)}\n`;
      await lab.must(web1.name, ['runuser', '-u', site.user, '--', 'crontab', '-'], job);
    }
    const minutes = async (site: Site) => (await onWeb('cat', files(site))).stdout.split('\n').filter(Boolean);
    try {
      await until(
        'cron to run both',
        async () => (await minutes(one)).length > 0 && (await minutes(two)).length > 0,
        MINUTE_MS,
      );
      await must('site', 'disable', one.name);
      expect([await expiry(one), await expiry(two)]).toEqual(['1', '']);
      const before = await minutes(one);
      const since = (await minutes(two)).length;
      const missed = async () => (await minutes(two)).slice(since).find((minute) => !before.includes(minute));
      await until('cron to run the other', async () => (await missed()) !== undefined, MINUTE_MS);
      await must('site', 'verify', one.name);
      expect(await minutes(one)).toEqual(before);
      await must('site', 'enable', one.name);
      expect(await expiry(one)).toBe('');
      await until('cron to run it again', async () => (await minutes(one)).length > before.length, MINUTE_MS);
      expect(await minutes(one)).not.toContain(await missed());
    } finally {
      for (const { user } of [one, two]) await onWeb('crontab', '-u', user, '-r');
    }
  });

  test('one goes without a trace', async () => {
    const uid = await mustOnWeb('id', '--user', two.user);
    expect(await two.ask('whoami')).toBe(two.user);
    expect((await onWeb('pgrep', '--uid', uid)).code).toBe(0);
    await theFleet().must('site', 'delete', 'two.test', '--yes');
    expect((await onWeb('pgrep', '--uid', uid)).code).toBe(1);
    // What the page of the other has written meanwhile.
    const own = ['files', 'private', 'tmp', 'sessions'].map((name) => `${one.dir}/${name}`);
    await mustAsUser(one, 'find', ...own, '-mindepth', '1', '-delete');
    expect(await traces(theFleet())).toEqual(beforeTwo);
    expect(await one.ask('whoami')).toBe(one.user);
  });
}
