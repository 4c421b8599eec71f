// What every app must do, shown on the real thing: its own code, a real PHP, a real web server and database.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import { runChanges } from '../engine/engine.ts';
import type { Files } from '../host/host.ts';
import type { App } from './app.ts';
import { canInstall, canRewrite, canUpgrade, hasCron } from './app.ts';
import { type CronSubject, describeCron } from './conformance-cron.ts';
import { describeInstalling, type InstallingSubject } from './conformance-installing.ts';
import { describeRewriting, type RewritingSubject } from './conformance-rewriting.ts';
import { HOSTILE, openStage, type Stage, type World } from './conformance-stage.ts';
import { describeUpgrading, type UpgradingSubject } from './conformance-upgrading.ts';
import { createVisitor } from './conformance-visitor.ts';

export interface AppSubject {
  readonly app: App;
  /** All apps in their order, to see that the code is recognised as this one's. */
  readonly apps: readonly App[];
  readonly world: World;
  /** Brings the code base below dir, or names where it is; readable by all. */
  code(dir: string, files: Files): Promise<string>;
  /** What recognise must find. */
  readonly version: RegExp;
  readonly docroot: (root: string) => string;
  /** PHP that loads the site's settings from $site (its layout) and answers what it found; undefined for apps without any. */
  readonly settings?: { readonly read: string; readonly expected: (site: SiteSpec) => unknown };
  /** A file with settings, that a person may spoil; for apps without any, a link. */
  readonly spoil: (stage: Stage, site: SiteSpec) => string;
  /** Paths that the web never sees, though most of them are there; and what it sees. */
  readonly denied: readonly string[];
  readonly open: readonly (readonly [path: string, type: RegExp])[];
  /** URI prefix of uploads. */
  readonly uploads: (site: SiteSpec) => string;
  readonly needsDatabase: boolean;
  /** Of the database; a hostile one when not said. */
  readonly password?: string;
  readonly installing?: InstallingSubject;
  readonly cron?: CronSubject;
  readonly rewriting?: RewritingSubject;
  readonly upgrading?: UpgradingSubject;
}

const FIRST = '00000000000000aa';
const SECOND = '00000000000000bb';

export function describeApp(subject: AppSubject): void {
  const { app, world, password = HOSTILE } = subject;
  describe(`app ${app.name}`, () => {
    let stage: Stage;
    let root: string;
    let site: SiteSpec;
    beforeAll(async () => {
      stage = await openStage(app, world, password);
      root = await subject.code(stage.dir, stage.host.files);
      site = stage.site(FIRST, root, subject.needsDatabase ? {} : { db: undefined });
    }, 180_000);
    afterAll(() => stage?.close());

    test('recognises its code, before any other app does', async () => {
      const facts = await app.recognise(root, stage.host);
      expect(facts).toMatchObject({ app: app.name, docroot: subject.docroot(root) });
      expect(facts?.version).toMatch(subject.version);
      for (const other of subject.apps) {
        if (other.name === app.name) break;
        expect(await other.recognise(root, stage.host)).toBeUndefined();
      }
      expect(await app.recognise(join(stage.dir, 'nowhere'), stage.host)).toBeUndefined();
    });

    test('plans without touching, prepares whole after a crash at any change, and then there is nothing to do', async () => {
      const layout = stage.layout(site);
      await runChanges(await world.planAccount(layout, stage.host), stage.ctx);
      const before = await tree(layout.root);
      const first = await app.prepare(site, layout, stage.ctx);
      expect(first.length).toBeGreaterThan(0);
      expect(await tree(layout.root)).toEqual(before);
      for (let done = 0; done <= first.length; done++) {
        const changes = await app.prepare(site, layout, stage.ctx);
        await runChanges(changes.slice(0, 1), stage.ctx);
      }
      expect(await stage.planned(site)).toEqual([]);
      const whole = await tree(layout.root);
      for (const change of await app.prepare(site, layout, stage.ctx)) await change.run(stage.ctx);
      // A change that is run again, as after a crash before its end was noted, changes nothing.
      for (const change of first) await change.run(stage.ctx);
      expect(await tree(layout.root)).toEqual(whole);
      expect(first.map(({ summary }) => summary).join('\n')).not.toContain(password);
    });

    test('finds drift and mends it alone', async () => {
      const path = subject.spoil(stage, site);
      const link = await stage.host.files.readLink(path);
      if (link === undefined) {
        const text = await readFile(path, 'utf8');
        await stage.host.files.write(path, `${text}\n// by hand`, { mode: 0o640 });
      } else {
        await stage.host.files.link('/nonexistent', path);
      }
      expect((await stage.planned(site)).length).toBe(1);
      await stage.prepare(site);
      expect(await stage.planned(site)).toEqual([]);
    });

    test.runIf(subject.settings !== undefined)('keeps hostile values as values', async () => {
      const { read = '', expected = () => undefined } = subject.settings ?? {};
      const layout = stage.layout(site);
      for (const path of await tree(layout.root)) {
        if (!path.endsWith('.php')) continue;
        const { code, stdout } = await stage.host.run({ argv: ['php', '-l', join(layout.root, path)] });
        expect([path, code, stdout]).toEqual([path, 0, expect.any(String)]);
      }
      const program = `$site = json_decode(stream_get_contents(STDIN), true); ${read}; echo json_encode($found);`;
      const run = await stage.host.run({
        argv: ['php', '-r', program],
        input: JSON.stringify(layout),
        user: layout.user,
      });
      expect(run.stderr).toBe('');
      expect(JSON.parse(run.stdout)).toEqual(expected(site));
    });

    test('is published: what the web may see and what not', async () => {
      await stage.publish(site);
      const visitor = createVisitor(stage, site.url);
      for (const path of subject.denied) {
        const page = await visitor.get(path);
        expect([path, page.status]).toEqual([path, 404]);
      }
      for (const [path, type] of subject.open) {
        const page = await visitor.get(path);
        expect([path, page.status, page.type]).toEqual([path, 200, expect.stringMatching(type)]);
      }
    });

    test('serves its own uploads, never as PHP, and to no other site', async () => {
      const { files } = stage.layout(site);
      const mode = { mode: 0o644 };
      await stage.host.files.write(join(files, 'note.txt'), 'a note of the first site', mode);
      await stage.host.files.write(join(files, 'evil.php'), '<?php echo "ran";', mode);
      const visitor = createVisitor(stage, site.url);
      expect((await visitor.get(`${subject.uploads(site)}note.txt`)).body).toBe('a note of the first site');
      expect((await visitor.get(`${subject.uploads(site)}evil.php`)).status).toBe(404);
      const other = stage.site(SECOND, root, subject.needsDatabase ? {} : { db: undefined });
      await stage.publish(other);
      expect(await stage.planned(site)).toEqual([]);
      const stranger = createVisitor(stage, other.url);
      expect((await stranger.get(`${subject.uploads(site)}note.txt`)).body).not.toContain('a note of the first');
      await stage.remove(other);
      expect(await stage.planned(site)).toEqual([]);
    });

    if (canInstall(app) && subject.installing !== undefined) {
      describeInstalling(app, subject.installing, () => ({ stage, site }));
    }

    if (hasCron(app) && subject.cron !== undefined) {
      describeCron(app, subject.cron, world.runCron, () => ({ stage, site }));
    }

    if (canRewrite(app) && subject.rewriting !== undefined) {
      describeRewriting(app, subject.rewriting, () => ({ stage, site }));
    }

    if (canUpgrade(app) && subject.upgrading !== undefined) {
      describeUpgrading(app, subject.upgrading, () => ({ stage, site }));
    }

    test('tells no secret to the list of processes', () => {
      const all = stage.argv.join('\n');
      expect(stage.argv.length).toBeGreaterThan(0);
      expect(all).not.toContain(password);
      expect(all).not.toContain(site.salt);
      expect(stage.said.join('\n')).not.toContain(password);
    });

    test('is removed, once, and leaves nothing of the site', async () => {
      const layout = stage.layout(site);
      await stage.remove(site);
      expect(await app.remove(site, layout, stage.ctx)).toEqual([]);
      expect(await stage.host.files.exists(layout.root)).toBe(false);
      const left = (await tree(root)).filter((path) => path.includes(site.id));
      expect(left).toEqual([]);
    });

    test('is removed also when its code base is gone', async () => {
      const gone = stage.site(SECOND, join(stage.dir, 'gone'));
      expect(await app.remove(gone, stage.layout(gone), stage.ctx)).toEqual([]);
    });
  });
}

/** Names below a directory; links are not followed. Of a code base the first levels are enough. */
async function tree(root: string): Promise<string[]> {
  const walk = async (path: string, depth: number): Promise<string[]> => {
    const entries = await readdir(join(root, path), { withFileTypes: true });
    const below = await Promise.all(
      entries.map(async (entry) => {
        const name = path === '' ? entry.name : `${path}/${entry.name}`;
        return entry.isDirectory() && depth < 4 ? [name, ...(await walk(name, depth + 1))] : [name];
      }),
    );
    return below.flat();
  };
  return (await walk('', 0)).sort();
}
