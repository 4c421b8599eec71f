// Two sites on a db stage among other people's databases, and what the suite asks of them again and again.
import { expect } from 'vitest';
import type { DbSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { type DbStage, type DbSubject, openDbStage, STRANGER } from './db-stage.ts';

export const SITE = 'site-0000000000000001';
export const OTHER = 'site-0000000000000002';

export interface DbScene {
  readonly stage: DbStage;
  /** The site that things are done to. */
  readonly spec: DbSpec;
  /** The site that must not notice. */
  readonly other: DbSpec;
  open(subject: DbSubject): Promise<void>;
  close(): Promise<void>;
  /** Applies, and leaves data of the site there. */
  arrange(): Promise<void>;
  /** The data that arrange left, as the site's user reads it. */
  data(): Promise<readonly string[]>;
  /** Nothing is left to plan; the site gets in from its web servers and nobody else does; others' things are as they were. */
  expectConverged(wanted?: DbSpec): Promise<void>;
  expectOthersUntouched(): Promise<void>;
  /** All that is not these two sites'. */
  others(): Promise<readonly string[]>;
}

export const DATA = ['kept 🗝'];

export function createDbScene(): DbScene {
  let opened: { readonly stage: DbStage; readonly subject: DbSubject; readonly foreign: readonly string[] } | undefined;
  const its = () => {
    if (opened === undefined) throw new Error('the stage is not open');
    return opened;
  };
  const scene: DbScene = {
    get stage() {
      return its().stage;
    },
    get spec() {
      return its().stage.spec(SITE.slice('site-'.length));
    },
    get other() {
      return its().stage.spec(OTHER.slice('site-'.length));
    },
    async open(subject) {
      const stage = await openDbStage(subject);
      opened = { stage, subject, foreign: [] };
      await stage.administer(subject.foreign(scene.spec));
      opened = { stage, subject, foreign: await scene.others() };
    },
    close: async () => opened?.stage.close(),
    async arrange() {
      await its().stage.apply(scene.other);
      await its().stage.apply(scene.spec);
      const sql = `CREATE TABLE IF NOT EXISTS keep (what VARCHAR(40)); DELETE FROM keep; INSERT INTO keep VALUES ('${DATA[0]}');`;
      await its().stage.ask(scene.spec, scene.spec.from[0] ?? '', sql);
    },
    data: () => its().stage.ask(scene.spec, scene.spec.from[0] ?? '', 'SELECT what FROM keep;'),
    async expectConverged(wanted = scene.spec) {
      expect(await its().stage.plan(wanted)).toEqual([]);
      for (const address of wanted.from) expect(await its().stage.ask(wanted, address)).toEqual(['1']);
      await expect(its().stage.ask(wanted, STRANGER)).rejects.toThrow(its().subject.refusesAddress(STRANGER));
      await scene.expectOthersUntouched();
    },
    expectOthersUntouched: async () => expect(await scene.others()).toEqual(its().foreign),
    others: () => its().stage.administer(its().subject.everythingBut([scene.spec, scene.other])),
  };
  return scene;
}
