// Clusters on real systemd hosts: a front and two web servers that share files, under a steady load of visitors: a third
// one is added, one drained, one loses its power; then the same on the same hosts without files in common. Counts what
// visitors lost, and how long the longest page took.
// @module-tag deep
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LabHost, labUnavailable } from '../../deploy/lab/lab.ts';
import { ClusterServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { type Fleet, START_MS, startFleet, until } from './fleet.ts';
import { describeDrupal } from './spread-drupal.ts';
import { describeSpread } from './spread-journey.ts';
import { startVisits, told } from './steady-visits.ts';
import { createVisitor } from './visitor.ts';

const SITE = 'pool.test';
const why = labUnavailable();

describe.runIf(why === undefined)('a cluster on systemd hosts', () => {
  let fleet: Fleet;
  let common = '';
  const front = () => fleet.host('front');
  const web3 = () => fleet.host('web3');
  const isHealthy = async ({ name }: LabHost) => {
    const { heads } = await fleet.ask(ClusterServiceService.getCluster, { cluster: 'pool' });
    return heads.find(({ service }) => service === `${name}/nginx`)?.status?.healthy;
  };

  beforeAll(async () => {
    common = mkdtempSync('/var/tmp/aegir-lab/common-');
    fleet = await startFleet({ more: ['front', 'web3'], common });
    const { web1, web2, db1, lab, must } = fleet;
    // nginx of the image has the port that the front needs; heads need no load balancer.
    await lab.must(front().name, ['systemctl', 'disable', '--now', 'nginx']);
    const joined = async (host: LabHost, ...engines: string[]): Promise<void> => {
      await fleet.join(host);
      for (const engine of engines) await must('service', 'enable', `${host.name}/${engine}`);
    };
    const head = async (host: LabHost): Promise<void> => {
      await joined(host, 'nginx');
      await must(
        ...['service', 'declare', `${host.name}/mount:common`, '--type', 'file'],
        ...['--set', 'path=/srv/common', 'share=common', 'local=true'],
      );
    };
    await Promise.all([joined(front()), joined(db1, 'mariadb'), ...[web1, web2, web3()].map(head)]);
  }, START_MS);
  afterAll(async () => {
    await fleet?.stop();
    if (common !== '') rmSync(common, { recursive: true, force: true });
  });

  test('a site on it is installed, and its owner logs in by the front', async () => {
    const { web1, web2, db1, lab, must } = fleet;
    const heads = [`${web1.name}/nginx`, `${web2.name}/nginx`];
    await must('cluster', 'create', 'pool', '--front', front().name, '--share', 'common', '--head', ...heads);
    const service = `${front().name}/cluster:pool`;
    await must('platform', 'add', 'wordpress', '/usr/share/wordpress', '--service', service);
    const said = await must('site', 'install', SITE, '--db', `${db1.name}/mariadb`, '--title', 'Pool');
    const link = /http:\/\/pool\.test\/\S+/.exec(said)?.[0] ?? '';
    const visitor = createVisitor(front());
    expect((await visitor.get(`http://${SITE}/`)).body).toContain('<title>Pool');
    expect((await visitor.get(link)).body).toContain('id="wpadminbar"');
    visitor.close();
    // One number of its user everywhere, so that all heads may write what one has written.
    const owners = await Promise.all(
      [web1, web2].map(({ name }) => lab.must(name, ['sh', '-c', 'stat -c %u:%U /srv/common/site-*/files'])),
    );
    expect(new Set(owners).size).toBe(1);
    expect(owners[0]).toMatch(/^48\d{4}:aegir-/);
    // It survives that systemd starts it anew.
    await lab.must(front().name, ['systemctl', 'restart', 'haproxy']);
    expect((await createVisitor(front()).get(`http://${SITE}/`)).status).toBe(200);
  });

  test('a third head is added: no request fails', async () => {
    const visits = startVisits(front().address, SITE);
    await fleet.must('cluster', 'add', 'pool', `${web3().name}/nginx`);
    const log = ['sh', '-c', 'cat /var/log/aegir/*/access.log | grep -c "GET /" || true'];
    await until('visits at the new head', async () => Number(await fleet.lab.must(web3().name, log)) > 20);
    await visits.stop();
    told('a head is added', visits.counted);
    expect(visits.counted.failures).toEqual([]);
  });

  test('one is drained, and gets visitors again: no request fails', async () => {
    const visits = startVisits(front().address, SITE);
    await until('some visits', async () => visits.counted.asked > 20);
    await fleet.must('cluster', 'drain', 'pool', `${fleet.web1.name}/nginx`);
    await fleet.must('cluster', 'activate', 'pool', `${fleet.web1.name}/nginx`);
    await visits.stop();
    told('a head is drained and activated', visits.counted);
    expect(visits.counted.failures).toEqual([]);
  });

  test('one loses its power: after its front has found it, no request fails; it comes back by itself', async () => {
    const { web2 } = fleet;
    const visits = startVisits(front().address, SITE);
    await until('some visits', async () => visits.counted.asked > 40);
    const crashed = performance.now();
    await fleet.lab.crash(web2.name);
    await until('the front to find it', async () => (await isHealthy(web2)) === false);
    const found = performance.now();
    const asked = visits.counted.asked;
    await until('more visits', async () => visits.counted.asked > asked + 100);
    await fleet.boot(web2);
    await until('its front to find it again', async () => (await isHealthy(web2)) === true, 120_000);
    await visits.stop();
    told(`a head lost its power, found after ${Math.round(found - crashed)} ms at most`, visits.counted);
    expect(visits.counted.failures.filter(({ at }) => at > found)).toEqual([]);
  });

  test('a head leaves nothing behind, and the cluster neither', async () => {
    const { web1, lab, must } = fleet;
    await must('cluster', 'remove', 'pool', `${web1.name}/nginx`, '--yes');
    const left = await lab.must(web1.name, [
      'sh',
      '-c',
      'ls /var/aegir/sites /etc/nginx/conf.d; getent passwd | grep aegir- || true',
    ]);
    expect(left).not.toMatch(/site-|aegir-[0-9a-z]{16}:/);
    expect((await createVisitor(front()).get(`http://${SITE}/`)).status).toBe(200);
    await must('site', 'delete', SITE, '--yes');
    expect(await lab.must(web1.name, ['sh', '-c', 'ls /srv/common'])).not.toContain('site-');
    await must('platform', 'remove', 'wordpress', '--yes');
    await must('cluster', 'delete', 'pool', '--yes');
    expect(await lab.exec(front().name, ['curl', '--silent', `http://${front().address}/`])).toMatchObject({ code: 7 });
  });

  describeSpread(() => fleet);
  describeDrupal(
    () => fleet,
    () => common,
  );
});
