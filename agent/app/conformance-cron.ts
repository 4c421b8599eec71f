// What every app with cron must do besides: run what is due once, as the site's user and within its bounds, say what went
// wrong, and leave it to Aegir alone.
import { describe, expect, test } from 'vitest';
import type { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import type { App, Periodic } from './app.ts';
import type { CronUnderTest, Stage } from './conformance-stage.ts';

export interface CronSubject {
  /** Makes something due that leaves a mark, and answers how often it was done. */
  readonly due: (stage: Stage, site: SiteSpec) => Promise<() => Promise<number>>;
  /** Makes it fail, saying the site's password and salt. */
  readonly broken: (stage: Stage, site: SiteSpec) => Promise<void>;
  /** Ends that. */
  readonly mended: (stage: Stage, site: SiteSpec) => Promise<void>;
  /** Milliseconds that a run may take here. */
  readonly timeoutMs: number;
}

export function describeCron(
  app: App & Periodic,
  subject: CronSubject,
  runCron: CronUnderTest,
  world: () => { readonly stage: Stage; readonly site: SiteSpec },
): void {
  const run = async (part: { signal?: AbortSignal; timeoutMs?: number } = {}) => {
    const { stage, site } = world();
    const { id, name, url, platform } = site;
    if (platform === undefined) throw new Error('the site has no platform');
    const entry = { id, name, url, platform, sharedRoot: '', php: undefined, intervalSeconds: 3600 };
    const lines: string[] = [];
    const signal = part.signal ?? stage.ctx.signal;
    const end = await runCron(
      {
        id: 'a-run-of-the-conformance-suite',
        ...{ entry, now: Date.now, timeoutMs: part.timeoutMs ?? subject.timeoutMs },
        onLine: (line) => void lines.push(line),
      },
      [app],
      { ...stage.ctx, signal },
    );
    return { ...end, lines };
  };

  describe('cron', { timeout: 4 * subject.timeoutMs }, () => {
    test('does what is due, once', async () => {
      const { stage, site } = world();
      const done = await subject.due(stage, site);
      const before = await done();
      expect(await run()).toMatchObject({ outcome: 'ok' });
      expect(await done()).toBe(before + 1);
    });

    test('runs with the PHP of the site: as its user, with its memory and nothing open but its own', async () => {
      const { stage, site } = world();
      const from = stage.argv.length;
      await run();
      const argv = stage.argv.slice(from).join('\n');
      expect(argv).toContain('memory_limit=268435456');
      expect(argv).toMatch(new RegExp(`^open_basedir="?${stage.layout(site).root}/`, 'm'));
      expect(argv).not.toContain(site.salt);
      expect(argv).not.toContain(site.db?.password ?? site.salt);
    });

    test('says what went wrong, without secrets, and goes on when it is mended', async () => {
      const { stage, site } = world();
      await subject.broken(stage, site);
      const end = await run();
      expect(end.outcome).toBe('failed');
      expect(end.text).toContain('broken on purpose');
      expect(end.text).not.toContain(site.salt);
      expect(JSON.stringify(end)).not.toContain(JSON.stringify(site.db?.password ?? site.salt).slice(1, -1));
      expect(end.text.length).toBeLessThanOrEqual(2000);
      await subject.mended(stage, site);
      expect(await run()).toMatchObject({ outcome: 'ok' });
    });

    test('ends when it is told to, and when it takes too long', async () => {
      expect(await run({ signal: AbortSignal.abort(new Error('stop')) })).toMatchObject({ outcome: 'stopped' });
      expect(await run({ timeoutMs: 1 })).toMatchObject({ outcome: 'timeout' });
    });
  });
}
