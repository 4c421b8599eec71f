// What befalls servers: killed programs, lost power, links that are cut, slow or lossy. Afterwards everything goes on.
import { describe, expect, test } from 'vitest';
import { type Fleet, until } from './fleet.ts';
import { traces } from './traces.ts';
import { visit } from './visitor.ts';

/** The master asks for a sign of life every so often, and waits for the next ones too. */
const NOTICE_MS = 90_000;

/** To be called in a describe; shop.test must be a WordPress site on web1 and db1, on the platform wordpress. */
export function faultTests(theFleet: () => Fleet): void {
  const home = async () => (await visit(theFleet().web1, 'http://shop.test/')).status;
  const notice = (fleet: Fleet) =>
    until('the master to notice', async () => !(await fleet.isConnected(fleet.web1)), NOTICE_MS);
  const installLate = (fleet: Fleet, ...more: string[]) =>
    fleet.aegir(
      'site',
      'install',
      'late.test',
      '--platform',
      'wordpress',
      '--db',
      `${fleet.db1.name}/mariadb`,
      ...more,
    );

  test('a stopped database server is told with what to do, and leaves nothing', async () => {
    const fleet = theFleet();
    const { lab, db1 } = fleet;
    const before = await traces(fleet);
    await lab.must(db1.name, ['systemctl', 'stop', 'mariadb']);
    const { code, stderr } = await installLate(fleet);
    await lab.must(db1.name, ['systemctl', 'start', 'mariadb']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/MariaDB.*;.*systemctl/s);
    expect(await traces(fleet)).toEqual(before);
  });

  describe('kill -9', () => {
    test('of the agent: systemd starts it again, and its session comes back', async () => {
      const fleet = theFleet();
      const { lab, web1 } = fleet;
      const before = await fleet.pid(web1, 'aegir-agent');
      await lab.must(web1.name, ['kill', '-9', before]);
      const again = async () => !['0', before].includes(await fleet.pid(web1, 'aegir-agent'));
      await until('systemd to start it again', again);
      await until('its session', () => fleet.isConnected(web1));
      await fleet.must('site', 'verify', 'shop.test');
    });

    test('of the master: systemd starts it again, and nothing is lost', async () => {
      const fleet = theFleet();
      const { lab, master, web1, web2, db1 } = fleet;
      const sites = await fleet.json<readonly unknown[]>('site', 'list');
      const before = await fleet.pid(master, 'aegir-master');
      await lab.must(master.name, ['kill', '-9', before]);
      await until('systemd to start it again', async () => (await fleet.aegir('status')).code === 0);
      expect(await fleet.pid(master, 'aegir-master')).not.toBe(before);
      for (const host of [web1, web2, db1]) await until('the sessions', () => fleet.isConnected(host));
      expect(await fleet.json('site', 'list')).toEqual(sites);
      await fleet.must('site', 'verify', 'shop.test');
    });
  });

  describe('a link', () => {
    test('that is slow delays, and no more', { tags: ['deep'] }, async () => {
      const { lab, web1, must } = theFleet();
      await lab.slow(web1.name, '256kbit');
      try {
        await must('site', 'verify', 'shop.test');
        expect(await home()).toBe(200);
      } finally {
        await lab.slow(web1.name, 'off');
      }
    });

    test('that loses a packet in five delays, and no more', { tags: ['deep'] }, async () => {
      const { lab, web1, must } = theFleet();
      await lab.lose(web1.name, '20');
      try {
        await must('site', 'verify', 'shop.test');
        expect(await home()).toBe(200);
      } finally {
        await lab.lose(web1.name, 'off');
      }
    });

    test('that is cut makes a task wait, which goes on when the link is back', async () => {
      const fleet = theFleet();
      const { lab, web1, must } = fleet;
      await lab.cut(web1.name);
      let task: { readonly taskId: string };
      try {
        task = await fleet.json('site', 'disable', 'shop.test', '--no-wait');
        await notice(fleet);
      } finally {
        await lab.heal(web1.name);
      }
      await must('task', 'watch', task.taskId);
      expect(await home()).toBe(503);
      await must('site', 'enable', 'shop.test');
      expect(await home()).toBe(200);
    });
  });

  test('power that is lost in the middle of an install: the host comes back with its sites, the install ends whole', async () => {
    const fleet = theFleet();
    const { lab, web1 } = fleet;
    const before = await traces(fleet);
    const { code, stdout } = await installLate(fleet, '--no-wait', '--output', 'json');
    expect(code).toBe(0);
    const { taskId } = JSON.parse(stdout) as { taskId: string };
    // The first of the site on this host; more is to come.
    const begun = async () => (await lab.exec(web1.name, ['sh', '-c', 'ls /var/aegir/sites'])).stdout.split('\n');
    const sites = (await begun()).length;
    await until('the install to begin', async () => (await begun()).length > sites);
    await lab.crash(web1.name);
    await fleet.boot(web1);
    await until('its session', () => fleet.isConnected(web1), NOTICE_MS);
    await until('the site that was there', async () => (await home()) === 200);
    const ended = await fleet.aegir('task', 'watch', taskId);
    if (ended.code === 0) {
      expect((await visit(web1, 'http://late.test/')).status).toBe(200);
      await fleet.must('site', 'delete', 'late.test', '--yes');
    }
    expect(await traces(fleet)).toEqual(before);
  });
}
