// What every app whose database follows its code must do besides: upgrade what is of older code, once; say what went wrong.
import { describe, expect, test } from 'vitest';
import type { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import type { App, Upgrading } from './app.ts';
import { changedRows, dumpOf } from './conformance-copy.ts';
import type { Stage } from './conformance-stage.ts';
import { createVisitor } from './conformance-visitor.ts';

export interface UpgradingSubject {
  /** Makes the database one of older code; answers whether the upgrade ran over it. */
  age(stage: Stage, site: SiteSpec): Promise<() => Promise<boolean>>;
  /** Makes its upgrade fail, saying "broken on purpose". */
  broken(stage: Stage, site: SiteSpec): Promise<void>;
  /** Ends that. */
  mended(stage: Stage, site: SiteSpec): Promise<void>;
  /** Milliseconds that it may take. */
  readonly timeoutMs: number;
}

export function describeUpgrading(
  app: App & Upgrading,
  subject: UpgradingSubject,
  world: () => { readonly stage: Stage; readonly site: SiteSpec },
): void {
  describe('upgrading', { timeout: subject.timeoutMs }, () => {
    const upgrade = () => {
      const { stage, site } = world();
      return app.upgrade(site, stage.layout(site), stage.ctx);
    };

    test('touches nothing where there is nothing to do', async () => {
      const { site } = world();
      // What the app makes anew at its first chance is made.
      await upgrade();
      const before = await dumpOf(site);
      await upgrade();
      expect(changedRows(before, await dumpOf(site))).toEqual([]);
    });

    test('brings an older database to the code, and the site serves', async () => {
      const { stage, site } = world();
      const upgraded = await subject.age(stage, site);
      expect(await upgraded()).toBe(false);
      await upgrade();
      expect(await upgraded()).toBe(true);
      expect((await createVisitor(stage, site.url).get('/')).status).toBe(200);
      const before = await dumpOf(site);
      await upgrade();
      expect(changedRows(before, await dumpOf(site))).toEqual([]);
    });

    test('says what went wrong, and goes on when it is mended', async () => {
      const { stage, site } = world();
      const upgraded = await subject.age(stage, site);
      await subject.broken(stage, site);
      await expect(upgrade()).rejects.toThrow(/^cannot upgrade the database of .*broken on purpose/s);
      await subject.mended(stage, site);
      await upgrade();
      expect(await upgraded()).toBe(true);
    });
  });
}
