// Two sites on a stage, and what the suite asks of them again and again. They are there once open() has resolved.
import { join } from 'node:path';
import { expect } from 'vitest';
import type { HttpSiteSpec } from '../engine.ts';
import { type HttpSubject, openStage, type Stage } from './http-stage.ts';

export const SITE = 'site-0000000000000001';
export const OTHER = 'site-0000000000000002';
export const NAME = 'one.example.org';
export const OTHER_NAME = 'two.example.org';

export interface Scene {
  readonly stage: Stage;
  /** The site that things are done to. */
  readonly spec: HttpSiteSpec;
  /** The site that must not notice. */
  readonly other: HttpSiteSpec;
  open(subject: HttpSubject): Promise<void>;
  close(): Promise<void>;
  vhostPath(siteId?: string): string;
  poolPath(siteId?: string): string;
  statusOf(name: string, path?: string): Promise<number>;
  /** Everything in both daemons' include directories. */
  configuration(): Promise<Readonly<Record<string, string | undefined>>>;
  /** Nothing is left to plan, and the site answers. */
  expectConverged(wanted?: HttpSiteSpec): Promise<void>;
}

export function createScene(): Scene {
  let opened: Stage | undefined;
  const stage = (): Stage => {
    if (opened === undefined) throw new Error('the stage is not open');
    return opened;
  };
  const scene: Scene = {
    get stage() {
      return stage();
    },
    get spec() {
      return stage().fixture.php(SITE, NAME);
    },
    get other() {
      return stage().fixture.php(OTHER, OTHER_NAME);
    },
    async open(subject) {
      opened = await openStage(subject);
      for (const siteId of [SITE, OTHER]) await opened.fixture.prepareSite(siteId);
    },
    close: async () => opened?.close(),
    vhostPath: (siteId = SITE) => join(stage().daemon.includeDir, `aegir-${siteId}.conf`),
    poolPath: (siteId = SITE) => join(stage().fpm.includeDir, `aegir-${siteId}.conf`),
    statusOf: async (name, path = '/') => (await stage().get(name, path)).status,
    async configuration() {
      const { daemon, fpm, host } = stage();
      const texts: Record<string, string | undefined> = {};
      for (const { includeDir } of [daemon, fpm]) {
        for (const name of await host.files.list(includeDir)) {
          texts[join(includeDir, name)] = await host.files.read(join(includeDir, name));
        }
      }
      return texts;
    },
    async expectConverged(wanted = scene.spec) {
      expect(await stage().plan(wanted)).toEqual([]);
      expect(await scene.statusOf(wanted.name)).toBe(200);
    },
  };
  return scene;
}
