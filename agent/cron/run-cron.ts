// One run of one site's cron: as the site's user, with the site's PHP, its memory and the directories open to it, in
// bounded time, and what it said without secrets.
import { AegirError, toAegirError } from '../../shared/error.ts';
import { type App, hasCron } from '../app/app.ts';
import type { PhpRun } from '../app/php-cli.ts';
import type { ActionContext } from '../engine/engine.ts';
import { phpLimits } from '../engine/http/fpm/limits.ts';
import { openBasedir } from '../engine/http/fpm/render.ts';
import { choosePhp } from '../engine/http/fpm/version.ts';
import type { Host } from '../host/host.ts';
import { siteLayout } from '../host/site-layout.ts';
import { createRedactor, oneLine } from '../redact.ts';
import type { CronEnd, CronEntry, CronOutcome } from './cron-table.ts';
import { RUN_VARIABLE } from './leftovers.ts';
import { secretsIn } from './secrets.ts';

const MAX_TEXT = 2000;
/** A child of the agent would be spared as the agent is; to raise it needs no right. */
const OOM_SCORE = 200;

export interface CronRun {
  /** Names the run; all its processes bear it. */
  readonly id: string;
  readonly entry: CronEntry;
  readonly timeoutMs: number;
  now(): number;
  /** Each line that it says, as it comes, without secrets. */
  onLine(line: string): void;
}

/** Never throws: what went wrong is how it ended. */
export async function runCron(run: CronRun, apps: readonly App[], ctx: ActionContext): Promise<CronEnd> {
  const startedAt = run.now();
  const redactor = createRedactor({});
  const end = (outcome: CronOutcome, text: string): CronEnd => ({
    outcome,
    startedAt,
    millis: Math.max(0, run.now() - startedAt),
    text: oneLine(redactor.redact(text), MAX_TEXT),
  });
  try {
    const app = apps.find((each) => each.name === run.entry.platform.app);
    if (app === undefined || !hasCron(app)) return end('idle', `a site of app ${run.entry.platform.app} has none`);
    const layout = siteLayout(ctx.host.paths, run.entry.id, run.entry.sharedRoot);
    for (const secret of await secretsIn(app.secretFiles(layout), ctx.host)) redactor.add(secret);
    const php = await phpRun(run, app, ctx.host, redactor.redact);
    const said = await app.cron(run.entry, layout, php, ctx);
    return said === undefined ? end('idle', 'its code has nothing to run') : end('ok', said);
  } catch (thrown) {
    if (ctx.signal.aborted) return end('stopped', 'it was stopped: the site was changed, or the agent stopped');
    const error = toAegirError(thrown, `run the cron of ${run.entry.name}`);
    return end(error.code === 'deadline_exceeded' ? 'timeout' : 'failed', error.message);
  }
}

/** As the site's pool has it (fpm/render.ts); but a run may take longer than a visitor would wait. */
async function phpRun(run: CronRun, app: App, host: Host, redact: (text: string) => string): Promise<PhpRun> {
  const { entry } = run;
  const layout = siteLayout(host.paths, entry.id, entry.sharedRoot);
  const { docroot, php } = app.web(entry.platform, layout);
  if (php === undefined) throw new AegirError('internal', `cannot run the cron of ${entry.name}: it has no PHP`);
  const version = choosePhp(entry.php?.version ?? '', await host.phpVersions(), entry.name);
  const limits = phpLimits(entry.php);
  const pool = { layout, docroot, openBasedir: php.openBasedir, prepend: php.prepend };
  const options = [
    `memory_limit=${limits.memoryBytes}`,
    'max_execution_time=0',
    `open_basedir=${openBasedir(pool)}`,
    `sys_temp_dir=${layout.tmp}`,
    `session.save_path=${layout.sessions}`,
    'log_errors=1',
    `error_log=${layout.logs}/php.log`,
    'display_errors=stderr',
    'html_errors=0',
    'allow_url_include=0',
    // Of a failed connection the arguments would be a password.
    'zend.exception_ignore_args=1',
    ...(php.prepend === undefined ? [] : [`auto_prepend_file=${php.prepend}`]),
  ];
  return {
    before: await givingWay(host),
    program: (await host.which(`php${version}`)) ?? 'php',
    options: options.flatMap((option) => ['-d', option]),
    env: { [RUN_VARIABLE]: run.id },
    timeoutMs: run.timeoutMs,
    redact,
    onLine: (line) => run.onLine(redact(line)),
  };
}

/** Less than visitors get; and where memory ends it goes before what the agent is spared for. */
async function givingWay(host: Host): Promise<readonly [string, ...string[]]> {
  const nice = ['nice', '-n', '10'] as const;
  if (host.kind !== 'systemd') return nice;
  const own = Number((await host.files.read('/proc/self/oom_score_adj')) ?? 0);
  return ['choom', '-n', `${Math.max(own, OOM_SCORE)}`, '--', ...nice];
}
