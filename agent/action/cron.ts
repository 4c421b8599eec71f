// What apply, remove and diagnose do about the cron of a site: it runs by itself where the site is served and the spec
// says so, and nowhere else.
import { isDeepStrictEqual } from 'node:util';
import type { Finding } from '../../shared/finding.ts';
import { hasCron } from '../app/app.ts';
import { type CronEntry, type CronRow, isFailure } from '../cron/cron-table.ts';
import type { ActionContext, Change } from '../engine/engine.ts';
import type { ValidHttpSpec } from '../validate-spec.ts';
import type { Tools } from './action.ts';

const MOST_FINDINGS = 50;

export function planCron(spec: ValidHttpSpec, tools: Tools): readonly Change[] {
  const before = tools.cron.get(spec.siteId);
  const app = tools.apps.find((each) => each.name === spec.app);
  if (spec.state !== 'enabled' || spec.cron === undefined || app === undefined || !hasCron(app)) {
    if (before?.active !== true) return [];
    return [{ summary: `stop the cron of ${spec.name}`, run: () => tools.cron.pause(spec.siteId) }];
  }
  const entry: CronEntry = {
    id: spec.siteId,
    name: spec.name,
    url: spec.url,
    platform: spec.platform,
    sharedRoot: spec.sharedRoot,
    php: spec.php,
    intervalSeconds: spec.cron.intervalSeconds,
  };
  if (before?.active === true && isDeepStrictEqual(before.entry, entry)) return [];
  return [
    {
      summary: `run the cron of ${spec.name} every ${inWords(entry.intervalSeconds)}`,
      run: async () => tools.cron.plan(entry),
    },
  ];
}

export function planNoCron(siteId: string, tools: Tools): readonly Change[] {
  const before = tools.cron.get(siteId);
  if (before === undefined) return [];
  const run = () => tools.cron.remove(siteId);
  return [{ summary: `stop the cron of ${before.entry.name} and forget its runs`, run }];
}

/** For whoever verifies or changes the site. */
export function tellFailure(spec: ValidHttpSpec, ctx: ActionContext, tools: Tools): void {
  const row = tools.cron.get(spec.siteId);
  if (spec.state !== 'enabled' || row === undefined || !row.active || !isFailure(row.last?.outcome)) return;
  ctx.message({ kind: 'warning', text: failure(row), value: '', expiresAt: undefined });
}

/** For server verify. */
export function checkCron(tools: Tools): readonly Finding[] {
  const rows = tools.cron.active();
  if (rows.length === 0) return [];
  const failed = rows.filter(({ last }) => isFailure(last?.outcome));
  const text = `the cron of ${rows.length} sites runs here, ${failed.length} of them failed last time`;
  return [
    { subject: 'cron', level: 'ok', text },
    ...failed
      .slice(0, MOST_FINDINGS)
      .map((row): Finding => ({ subject: `cron:${row.entry.name}`, level: 'warning', text: failure(row) })),
  ];
}

function failure({ entry, last, failures }: CronRow): string {
  const times = failures > 1 ? ` ${failures} times in a row` : '';
  const when = new Date(last?.startedAt ?? 0).toISOString();
  return `the cron of ${entry.name} failed${times}, last at ${when}: ${last?.text ?? ''}; to see it: aegir site cron ${entry.name}`;
}

function inWords(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
