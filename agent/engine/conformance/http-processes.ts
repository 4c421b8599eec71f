// What an http engine does with processes that a site's code has started and that left its pool: none of them lives on while
// the site is held, moved or disabled, and the system starts no others. A part of the conformance suite (http.ts); it takes
// root, and users of their own, which the host of the suite has not.
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { siteLayout, siteUser } from '../../host/site-layout.ts';
import { createTestingUsers, ownUid, startDaemonAs } from '../../host/testing-users.ts';
import { processesOf } from '../../host/user-processes.ts';
import { type ActionContext, type HttpSiteSpec, runChanges } from '../engine.ts';
import { NAME, OTHER_NAME, type Scene, SITE } from './http-scene.ts';
import { summaries } from './interruption.ts';

const CLOSES = `close the account of the user of ${NAME}, so that neither cron nor at starts anything of it`;
const OPENS = `open the account of the user of ${NAME} again: cron and at may start what is its own`;
const ENDS = `end all processes of the user of ${NAME}`;
const WAITS = `wait until no request of ${NAME} runs here, at most 30 s`;
const UPSTREAM = { address: '127.0.31.8', port: 80, tlsPort: 0 };

export function describeProcesses(scene: Scene): void {
  describe.skipIf(process.geteuid?.() !== 0)('a daemon that code of a site has started (as root)', () => {
    const uid = ownUid();
    const users = createTestingUsers(siteUser(SITE), uid);
    const gate = () => siteLayout(scene.stage.host.paths, SITE).gate;
    let server: Server;
    const ctx = (): ActionContext => {
      const { host } = scene.stage;
      const { processes, accounts } = users;
      if (processes === undefined || accounts === undefined) throw new Error('the users under test have no processes');
      return { ...scene.stage.ctx, host: { ...host, users: { ...host.users, processes, accounts } } };
    };
    const account = () => users.accounts?.state(siteUser(SITE));
    const plan = (spec: HttpSiteSpec) => scene.stage.engine.plan(scene.stage.service, spec, ctx());
    const apply = async (spec: HttpSiteSpec) => runChanges(await plan(spec), ctx());

    beforeAll(async () => {
      server = createServer().listen(gate());
      await once(server, 'listening');
      await scene.stage.apply(scene.spec);
      await scene.stage.apply(scene.other);
    });
    afterAll(async () => {
      server.close();
      await rm(gate(), { force: true });
      await scene.stage.apply(scene.spec);
      await scene.expectConverged();
    });

    it.each(['held', 'moved', 'disabled'])('is gone when the site is %s, whatever it ignores', async (state) => {
      const spec = { ...scene.spec, state, upstream: UPSTREAM };
      await startDaemonAs(uid);
      expect(await plan(scene.spec)).toEqual([]);
      const done = await apply(spec);
      expect(await processesOf(uid)).toEqual([]);
      // Requests that are under way have their answer first.
      expect(done.indexOf(WAITS)).toBeGreaterThan(0);
      expect(done.at(-1)).toBe(ENDS);
      // Or what cron and at start meanwhile would be missed.
      expect(done.indexOf(CLOSES)).toBe(done.indexOf(WAITS) - 1);
      expect(await account()).toBe('closed');
      expect(await plan(spec)).toEqual([]);

      // As one that an agent has left which died before, or that came by a way that nobody knows.
      await startDaemonAs(uid);
      const reloads = state === 'disabled' ? [expect.stringMatching(/^reload PHP-FPM /)] : [];
      expect(summaries(await plan(spec))).toEqual([WAITS, ...reloads, ENDS]);
      await apply(spec);
      expect(await processesOf(uid)).toEqual([]);

      // By hand, as drift; what came by it is ended.
      await users.accounts?.open(siteUser(SITE));
      expect(summaries(await plan(spec))).toEqual([CLOSES, WAITS, ...reloads, ENDS]);
      await apply(spec);
      expect(await account()).toBe('closed');

      expect((await apply(scene.spec)).at(-1)).toBe(OPENS);
      expect(await account()).toBe('open');
      expect(await plan(scene.spec)).toEqual([]);
      expect([await scene.statusOf(NAME), await scene.statusOf(OTHER_NAME)]).toEqual([200, 200]);
    });
  });
}
