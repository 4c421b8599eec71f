// Runs small PHP programs of ours as the site's user: code in the argument vector (no secrets in it), everything else as
// JSON on standard input, one JSON value back on a marked line. And scripts of the site's own code.
import { dirname } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import type { ActionContext } from '../engine/engine.ts';
import type { Command } from '../host/host.ts';
import type { SiteLayout } from '../host/site-layout.ts';

const MARK = 'AEGIR-ANSWER:';
const TIMEOUT_MS = 5 * 60_000;
const TAIL = 400;

/** How a PHP of the site is started, where it is not as for Aegir's own programs. */
export interface PhpRun {
  /** What runs the program: it gives way to what visitors wait for. */
  readonly before: readonly [string, ...string[]];
  /** php, or the one of a version. */
  readonly program: string;
  /** Instead of phpOptions(). */
  readonly options: readonly string[];
  /** Besides the usual. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Takes secrets out of all that it said, before a part of it is told: a part may hold a part of one. */
  readonly redact: (text: string) => string;
  /** What it says, line by line; not its answer. */
  readonly onLine: (line: string) => void;
}

/** As Aegir's own programs, but for the time that it may take. */
export type PhpTime = Pick<PhpRun, 'timeoutMs'>;

/** The code gets $in (the decoded input) and calls answer($value) once at its end. */
export async function runPhp(
  code: string,
  input: object,
  layout: SiteLayout,
  doing: string,
  ctx: ActionContext,
  how?: PhpRun | PhpTime,
): Promise<unknown> {
  const run = how !== undefined && 'program' in how ? how : undefined;
  const program = `error_reporting(E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED); ini_set('display_errors', 'stderr');
$in = json_decode(stream_get_contents(STDIN), true, 64, JSON_THROW_ON_ERROR);
function answer($value) { echo "\\n${MARK}" . json_encode($value) . "\\n"; }
${code}`;
  const {
    code: status,
    stdout,
    stderr,
  } = await ctx.host.run({
    ...command(['-r', program], layout.root, layout, ctx, run),
    ...(how === undefined ? {} : { timeoutMs: how.timeoutMs }),
    input: JSON.stringify(input),
  });
  const line = stdout.split('\n').findLast((each) => each.startsWith(MARK));
  if (status === 0 && line !== undefined) return JSON.parse(line.slice(MARK.length));
  throw new AegirError(
    'internal',
    `cannot ${doing}: PHP ended with status ${status}: ${saidBy(`${stderr}\n${stdout}`, run)}`,
  );
}

/** A script of the site's code, in its directory. */
export async function runScript(
  script: string,
  layout: SiteLayout,
  doing: string,
  ctx: ActionContext,
  run: PhpRun,
): Promise<void> {
  const { code, stdout, stderr } = await ctx.host.run(command(['-f', script], dirname(script), layout, ctx, run));
  if (code === 0) return;
  throw new AegirError(
    'internal',
    `cannot ${doing}: PHP ended with status ${code}: ${saidBy(`${stderr}\n${stdout}`, run)}`,
  );
}

function saidBy(output: string, run: PhpRun | undefined): string {
  return inWords(run === undefined ? output : run.redact(output));
}

/** As the site's user. */
function command(
  what: readonly string[],
  cwd: string,
  layout: SiteLayout,
  ctx: ActionContext,
  run: PhpRun | undefined,
): Command {
  const onLine = run?.onLine;
  return {
    argv:
      run === undefined
        ? ['php', ...phpOptions(layout), ...what]
        : [...run.before, run.program, ...run.options, ...what],
    cwd,
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: layout.private,
      TMPDIR: layout.tmp,
      LANG: 'C.UTF-8',
      ...run?.env,
    },
    user: layout.user,
    timeoutMs: run?.timeoutMs ?? TIMEOUT_MS,
    signal: ctx.signal,
    ...(onLine === undefined ? {} : { onLine: (_, line) => void (line.startsWith(MARK) || onLine(line)) }),
  };
}

/** For every PHP that Aegir starts. Traces without arguments: of a failed connection the password would be one. */
export function phpOptions(layout: SiteLayout): readonly string[] {
  const options = [`sys_temp_dir=${layout.tmp}`, 'memory_limit=512M', 'zend.exception_ignore_args=1'];
  return options.flatMap((option) => ['-d', option]);
}

/** What PHP died of, also from a page of HTML: its last error, or else the end of what it said; on one line. */
export function inWords(output: string): string {
  const text = output
    .replace(/<style[\s\S]*?<\/style>|<script[\s\S]*?<\/script>|<[^>]*>/g, ' ')
    .replace(/&#?\w+;/g, ' ');
  const plain = text.replace(/\s+/g, ' ').trim();
  if (plain === '') return 'it said nothing';
  const error = plain.lastIndexOf('Fatal error: ');
  return error === -1 ? plain.slice(-TAIL) : plain.slice(error, error + TAIL);
}
