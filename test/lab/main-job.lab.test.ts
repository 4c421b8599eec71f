// Row 2 on real systemd hosts, the isolation of sites from each other, and faults; see fleet.ts for what runs where.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labUnavailable } from '../../deploy/lab/lab.ts';
import { faultTests } from './faults.ts';
import { type Fleet, START_MS, startFleet } from './fleet.ts';
import { isolationTests } from './isolation.ts';
import { askStandardServices } from './reflection.ts';
import { restTests } from './rest.ts';
import { createVisitor } from './visitor.ts';

const why = labUnavailable();
if (why !== undefined) console.warn(`SKIPPED: the lab, and with it everything on real systemd hosts: ${why}`);

describe.runIf(why === undefined)('on systemd hosts', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet();
  }, START_MS);
  afterAll(async () => {
    await fleet?.stop();
  });

  test('no host has Node', async () => {
    for (const { name } of [fleet.master, fleet.web1, fleet.web2, fleet.db1])
      expect((await fleet.lab.exec(name, ['sh', '-c', 'command -v node'])).code).not.toBe(0);
  });

  test('the API answers the standard services for health and reflection', async () => {
    const { lab, master } = fleet;
    const read = (name: string) => lab.must(master.name, ['cat', `/var/lib/aegir/${name}`]);
    const asked = await askStandardServices(`${master.address}:7443`, await read('ca.pem'), await read('admin.token'));
    expect(asked.health).toBe('SERVING');
    expect(asked.services).toContain('aegir.v1.SiteService');
    // Agents' services are on other ports.
    expect(asked.services).not.toContain('aegir.v1.AgentService');
  });

  test('servers join by the line that the master prints', async () => {
    const { web1, web2, db1, lab, must } = fleet;
    const joined = [web1, db1, web2].map(async (host) => {
      expect(await fleet.join(host)).toMatch(/Joined as .*\n.*The agent runs/s);
      expect(await lab.must(host.name, ['systemctl', 'is-active', 'aegir-agent'])).toBe('active');
      expect(await lab.must(host.name, ['systemctl', 'is-enabled', 'aegir-agent'])).toBe('enabled');
    });
    await Promise.all(joined);
    for (const { name } of [web1, web2])
      for (const engine of ['nginx', 'null']) await must('service', 'enable', `${name}/${engine}`);
    await must('service', 'enable', `${db1.name}/mariadb`);
  });

  test('the agent sees what runs on its host, and its disks once, for all that its unit takes from it', async () => {
    interface Detected {
      readonly name: string;
      readonly detected?: { readonly running?: boolean };
    }
    const { name } = fleet.web1;
    const services = await fleet.json<readonly Detected[]>('service', 'list', '--all');
    const running = services.filter(({ detected }) => detected?.running === true).map((service) => service.name);
    // Of programs of other users, or with more capabilities, the kernel tells less.
    for (const engine of ['nginx', 'mariadb', 'sftp']) expect(running).toContain(`${name}/${engine}`);
    interface Shown {
      readonly facts: { readonly disks: readonly { readonly mount: string }[] };
    }
    const { facts } = await fleet.json<Shown>('server', 'show', name);
    expect(facts.disks[0]?.mount).toBe('/');
    expect(facts.disks.map(({ mount }) => mount)).not.toContain('/usr');
  });

  test('a WordPress site is installed with its pages on one and its database on the other', async () => {
    const { web1, web2, db1, lab, must } = fleet;
    await must('platform', 'add', 'wordpress', '/usr/share/wordpress', '--service', `${web1.name}/nginx`);
    const db = `${db1.name}/mariadb`;
    const said = await must('site', 'install', 'shop.test', '--platform', 'wordpress', '--db', db, '--title', 'Shop');
    const link = /http:\/\/shop\.test\/\S+/.exec(said)?.[0] ?? '';
    expect(link).not.toBe('');
    const visitor = createVisitor(web1);
    const home = await visitor.get('http://shop.test/');
    expect(home.status).toBe(200);
    expect(home.body).toContain('<title>Shop');
    expect((await visitor.get(link)).body).toContain('id="wpadminbar"');
    visitor.close();
    const second = createVisitor(web1);
    expect((await second.get(link)).body).not.toContain('id="wpadminbar"');
    second.close();

    // By its name from another host, as by DNS.
    const from = ['curl', '--silent', '--resolve', `shop.test:80:${web1.address}`, 'http://shop.test/'];
    expect(await lab.must(web2.name, from)).toContain('<title>Shop');
    expect(await lab.must(db1.name, ['mariadb', '-Ne', "SHOW DATABASES LIKE 'site\\_%'"])).toMatch(/^site_\w+$/);
    expect(await lab.must(web1.name, ['sh', '-c', 'ls /var/lib/mysql | grep -c ^site_ || true'])).toBe('0');
    const sites = await fleet.json<readonly { name: string; state: string }[]>('site', 'list');
    expect(sites).toEqual([expect.objectContaining({ name: 'shop.test', state: 'enabled' })]);
  });

  test('a new login link logs in once, and not twice', async () => {
    const said = await fleet.must('site', 'login', 'shop.test');
    const link = /http:\/\/shop\.test\/\S+/.exec(said)?.[0] ?? '';
    for (const expected of [true, false]) {
      const visitor = createVisitor(fleet.web1);
      expect((await visitor.get(link)).body.includes('id="wpadminbar"')).toBe(expected);
      visitor.close();
    }
  });

  test('the site is served over HTTPS by the name alone, plain HTTP leads there, and it goes back', async () => {
    const { lab, must, web1, web2 } = fleet;
    await must('site', 'set', 'shop.test', '--https', 'self-signed', '--https-redirect');
    const curl = (...args: string[]) => {
      const resolve = ['80', '443'].flatMap((port) => ['--resolve', `shop.test:${port}:${web1.address}`]);
      return lab.must(web2.name, ['curl', '--silent', ...resolve, ...args]);
    };
    const shown = '%{url_effective} %{http_code} %{num_redirects}';
    const page = ['--insecure', '--location', '--output', '/dev/null', '--write-out', shown, 'http://shop.test/'];
    expect(await curl(...page)).toBe('https://shop.test/ 200 1');
    expect(await curl('--insecure', 'https://shop.test/')).toContain('https://shop.test/wp-');
    const keys = await lab.must(web1.name, [
      'sh',
      '-c',
      "stat -c '%a %U' /var/aegir/sites/*/tls /var/aegir/sites/*/tls/*",
    ]);
    expect(keys.split('\n')).toEqual(['700 root', '600 root', '600 root']);
    await must('site', 'set', 'shop.test', '--https', 'off');
    expect(await curl(...page)).toBe('http://shop.test/ 200 0');
  });

  describe('two sites of one server', () => isolationTests(() => fleet));
  describe('at rest', () => restTests(() => fleet));
  describe('faults', () => faultTests(() => fleet));
});
