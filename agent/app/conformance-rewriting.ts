// What every app that keeps a site's names in its content must do besides: a copy says the new URL alone, in its pages and
// in all that is kept, the second time changes nothing, and the site that was copied stays as it is.
import { cp } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import type { App, Rewriting } from './app.ts';
import { changedRows, dumpOf, restoreInto, rowsOf } from './conformance-copy.ts';
import type { Stage } from './conformance-stage.ts';
import { createVisitor } from './conformance-visitor.ts';

export interface RewritingSubject {
  /**
   * Leaves content of many kinds that says the site's URL, its names and its directories, and "other." before its name,
   * which is none of its own; answers paths of pages with it.
   */
  plant(stage: Stage, site: SiteSpec): Promise<readonly string[]>;
  /** What the site's own code reads of it, by a word for each: URLs, names and paths as they stand there. */
  read(stage: Stage, site: SiteSpec): Promise<Readonly<Record<string, unknown>>>;
  /** What in a dump may say the old site (global). */
  readonly kept: RegExp;
  /** Milliseconds that it may take. */
  readonly timeoutMs: number;
}

const COPY = '00000000000000cc';

export function describeRewriting(
  app: App & Rewriting,
  subject: RewritingSubject,
  world: () => { readonly stage: Stage; readonly site: SiteSpec },
): void {
  describe('rewriting', { timeout: subject.timeoutMs }, () => {
    let copy: SiteSpec;
    let paths: readonly string[];
    let before: string;
    const from = ({ id, url, name, aliases }: SiteSpec) => ({ siteId: id, url, names: [name, ...aliases] });

    beforeAll(async () => {
      const { stage, site } = world();
      paths = await subject.plant(stage, site);
      copy = stage.site(COPY, site.platform?.root ?? '', { salt: 'tlasSALT0123456789tlasSALT0123456789' });
      await stage.publish(copy);
      const [source, target] = [stage.layout(site), stage.layout(copy)];
      before = await dumpOf(site);
      await restoreInto(copy, before);
      await cp(source.files, target.files, { recursive: true, preserveTimestamps: true });
      await stage.host.run({ argv: ['chown', '-R', `${target.user}:${target.user}`, target.files] });
    }, subject.timeoutMs);

    test('the copy reads as the site did, with its own URL and names', async () => {
      const { stage, site } = world();
      await app.rewrite(copy, from(site), stage.layout(copy), stage.ctx);
      const expected = JSON.stringify(await subject.read(stage, site))
        .replaceAll(`https://www.${site.name}`, copy.url)
        .replaceAll(`//www.${site.name}`, `//${new URL(copy.url).host}`)
        .replaceAll(/(?<!other\.)\w+\.test/g, (name) => (name === site.name ? copy.name : name))
        .replaceAll(site.id, copy.id);
      expect(await subject.read(stage, copy)).toEqual(JSON.parse(expected));
    });

    test('no page of it names the old site', async () => {
      const { stage, site } = world();
      const visitor = createVisitor(stage, copy.url);
      for (const path of ['/', ...paths]) {
        const page = await visitor.get(path.replaceAll(site.id, copy.id));
        expect([path, page.status]).toEqual([path, 200]);
        expect(linesWith(page.body, copy.url).length).toBeGreaterThan(0);
        expect(linesWith(page.body, site.name, site.id)).toEqual([]);
      }
    });

    test('nothing that is kept says the old site, and the second time changes nothing', async () => {
      const { stage, site } = world();
      await app.rewrite(copy, from(site), stage.layout(copy), stage.ctx);
      const once = await dumpOf(copy);
      expect(linesWith(rowsOf(once).join('\n').replace(subject.kept, ''), site.name, site.id)).toEqual([]);
      await app.rewrite(copy, from(site), stage.layout(copy), stage.ctx);
      expect(changedRows(once, await dumpOf(copy))).toEqual([]);
    });

    test('where nothing is old nothing is touched', async () => {
      const { stage, site } = world();
      const was = await dumpOf(site);
      await app.rewrite(site, from(site), stage.layout(site), stage.ctx);
      expect(changedRows(was, await dumpOf(site))).toEqual([]);
    });

    test('the site that was copied is as it was, and the copy goes', async () => {
      const { stage, site } = world();
      const visitor = createVisitor(stage, site.url);
      for (const path of paths) expect((await visitor.get(path)).body).toContain(site.url);
      expect(rowsOf(before).length).toBeGreaterThan(10);
      await stage.remove(copy);
      expect(await stage.planned(site)).toEqual([]);
    });
  });
}

function linesWith(text: string, ...words: readonly string[]): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const at = Math.max(...words.map((word) => line.indexOf(word)));
    return at < 0 ? [] : [line.slice(Math.max(0, at - 100), at + 100)];
  });
}
