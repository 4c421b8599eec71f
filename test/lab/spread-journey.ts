// A cluster whose heads have files of their own, on the systemd hosts of another test: two nginx and then an Apache, under
// visitors who read and leave files, while heads are added, drained, and lose their power.
import { beforeAll, describe, expect, test } from 'vitest';
import type { LabHost } from '../../deploy/lab/lab.ts';
import { ClusterServiceService } from '../../shared/gen/aegir/v1/admin.ts';
import { putApache } from './apache-host.ts';
import { type Fleet, until } from './fleet.ts';
import { startVisits, told, type Visits } from './steady-visits.ts';
import { createVisitor } from './visitor.ts';
import { logInToUpload } from './wordpress-upload.ts';

const SITE = 'own.test';
const UPLOADS = '/wp-content/uploads/';

interface Shown {
  readonly spread: readonly { readonly writer: string }[];
}

/** db1 has its database enabled, web1 and web2 their nginx; front has HAProxy; web3 is joined. None has a site. */
export function describeSpread(of: () => Fleet): void {
  describe('whose heads share no files', () => {
    let upload: (name: string) => Promise<string>;
    /** Of all visits: what the site said it took. */
    const left: string[] = [];
    const front = () => of().host('front');
    const web3 = () => of().host('web3');
    const serviceOf = (host: LabHost) => `${host.name}/${host.name === web3().name ? 'apache' : 'nginx'}`;
    const shown = () => of().json<Shown>('cluster', 'show', 'own');
    const isHealthy = async (host: LabHost) => {
      const { heads } = await of().ask(ClusterServiceService.getCluster, { cluster: 'own' });
      return heads.find(({ service }) => service === serviceOf(host))?.status?.healthy;
    };
    const writer = async (): Promise<LabHost> => {
      const [spread] = (await shown()).spread;
      const host = [of().web1, of().web2, web3()].find((each) => serviceOf(each) === spread?.writer);
      if (host === undefined) throw new Error(`nobody takes writes: ${JSON.stringify(spread)}`);
      return host;
    };
    const filesOn = async (host: LabHost) =>
      new Set(
        (
          await of().lab.must(host.name, ['sh', '-c', 'cd /var/aegir/sites/site-*/files && find . -name "left-*"'])
        ).split('\n'),
      );
    const lacking = async (host: LabHost) => {
      const there = await filesOn(host);
      return left.filter((path) => !there.has(path.replace(UPLOADS, './')));
    };
    const begin = (): Visits => startVisits(front().address, SITE, upload);
    /** Ends the visits; what they left is asked for by the front, and looked for where writes go. */
    const end = async (what: string, visits: Visits): Promise<void> => {
      await visits.stop();
      told(`without a mount, ${what}`, visits.counted);
      left.push(...visits.counted.left);
      const visitor = createVisitor(front());
      for (const path of visits.counted.left.slice(-5))
        expect((await visitor.get(`http://${SITE}${path}`)).status).toBe(200);
      visitor.close();
    };

    beforeAll(async () => {
      const { web1, web2, db1, must } = of();
      await putApache(of(), web3());
      await must('cluster', 'create', 'own', '--front', front().name, '--head', serviceOf(web1), serviceOf(web2));
      await must('platform', 'add', 'own', '/usr/share/wordpress', '--service', `${front().name}/cluster:own`);
      const said = await must(
        'site',
        'install',
        SITE,
        '--platform',
        'own',
        '--db',
        `${db1.name}/mariadb`,
        '--title',
        'Own',
      );
      upload = await logInToUpload(front().address, SITE, /http:\/\/own\.test\/\S+/.exec(said)?.[0] ?? '');
    });

    test('an Apache is added beside the two: no request fails, and it has what was left before it gets any', async () => {
      const visits = begin();
      await until('some uploads', async () => visits.counted.left.length > 2);
      await of().must('cluster', 'add', 'own', serviceOf(web3()));
      const log = ['sh', '-c', 'cat /var/log/aegir/*/access.log | grep -c "GET /" || true'];
      await until('visits at the new head', async () => Number(await of().lab.must(web3().name, log)) > 20);
      await end('a head is added', visits);
      expect(visits.counted.failures).toEqual([]);
      expect(await lacking(await writer())).toEqual([]);
    });

    test('the head that takes the writes is drained and gets visitors again: no request fails, no upload is lost', async () => {
      const before = await writer();
      const visits = begin();
      await until('some uploads', async () => visits.counted.left.length > 2);
      await of().must('cluster', 'drain', 'own', serviceOf(before));
      await of().must('cluster', 'activate', 'own', serviceOf(before));
      await end('the head that takes writes is drained and activated', visits);
      expect(visits.counted.failures).toEqual([]);
      const after = await writer();
      expect(after.name).not.toBe(before.name);
      expect(await lacking(after)).toEqual([]);
    });

    test('the Apache takes the writes: no request fails, no upload is lost', { tags: ['deep'] }, async () => {
      const visits = begin();
      await until('some uploads', async () => visits.counted.left.length > 2);
      await of().must('cluster', 'writer', SITE, serviceOf(web3()));
      const taken = visits.counted.left.length;
      await until('uploads there', async () => visits.counted.left.length > taken + 2);
      await end('the Apache takes the writes', visits);
      expect(visits.counted.failures).toEqual([]);
      expect((await writer()).name).toBe(web3().name);
      expect(await lacking(web3())).toEqual([]);
    });

    test('another head loses its power: after its front has found it, no request fails, and no upload is lost', {
      tags: ['deep'],
    }, async () => {
      const { web2 } = of();
      const visits = begin();
      await until('some uploads', async () => visits.counted.left.length > 2);
      const crashed = performance.now();
      await of().lab.crash(web2.name);
      await until('the front to find it', async () => (await isHealthy(web2)) === false);
      const found = performance.now();
      const taken = visits.counted.left.length;
      await until('more uploads', async () => visits.counted.left.length > taken + 3);
      await of().boot(web2);
      await until('its front to find it again', async () => (await isHealthy(web2)) === true, 120_000);
      await end(`a head lost its power, found after ${Math.round(found - crashed)} ms at most`, visits);
      expect(visits.counted.failures.filter(({ at }) => at > found)).toEqual([]);
      expect(await lacking(web3())).toEqual([]);
      await until(`${web2.name} to connect`, () => of().isConnected(web2));
      await of().must('cluster', 'sync', 'own');
      for (const host of [of().web1, web2]) expect([host.name, await lacking(host)]).toEqual([host.name, []]);
    });

    test('the head that takes the writes loses its power: pages go on; another one takes them when somebody says so', {
      tags: ['deep'],
    }, async () => {
      // Without uploads: who takes them is dead. What was left before has travelled.
      const visits = startVisits(front().address, SITE);
      const crashed = performance.now();
      await of().lab.crash(web3().name);
      await until('the front to find it', async () => (await isHealthy(web3())) === false);
      const found = performance.now();
      await expect(upload('left-nowhere.png')).rejects.toThrow('503');
      await of().must('cluster', 'drain', 'own', serviceOf(web3()), '--abandoned');
      const asked = visits.counted.asked;
      left.push(await upload('left-after.png'));
      await until('more visits', async () => visits.counted.asked > asked + 60);
      await end(
        `the head that takes writes lost its power, found after ${Math.round(found - crashed)} ms at most`,
        visits,
      );
      expect(visits.counted.failures.filter(({ at }) => at > found)).toEqual([]);
      expect(await lacking(await writer())).toEqual([]);
    });

    test('it comes back and has all that was left meanwhile; what it had goes by decision alone', {
      tags: ['deep'],
    }, async () => {
      await of().boot(web3());
      await until(`${web3().name} to connect`, () => of().isConnected(web3()));
      const refused = await of().aegir('cluster', 'activate', 'own', serviceOf(web3()));
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--discard')]);
      await of().must('cluster', 'activate', 'own', serviceOf(web3()), '--discard');
      expect(await lacking(web3())).toEqual([]);
      await of().must('site', 'delete', SITE, '--yes', '--no-backup');
      await of().must('platform', 'remove', 'own', '--yes');
      await of().must('cluster', 'delete', 'own', '--yes');
      for (const { name } of [of().web1, of().web2, web3()]) {
        expect(await of().lab.must(name, ['sh', '-c', 'ls /var/aegir/sites'])).not.toContain('site-');
      }
    });
  });
}
