// What a verify of the server says of its web server: whether it runs, its configuration is sound, it answers, and serves
// with the configuration that is on disk.
import { join } from 'node:path';
import type { Finding } from '../../../shared/finding.ts';
import { whyMissing } from '../../../shared/missing.ts';
import type { ActionContext } from '../engine.ts';
import { where } from './config/complaint.ts';
import type { ConfigSet } from './config/config-set.ts';
import { makeBase, parseManifest } from './config/manifest.ts';

/** That a move may have. */
const LONGEST_HOLD_MS = 600_000;

export interface WebServerWords {
  /** As the daemon is called on the host. */
  readonly daemon: string;
  /** Debian package that has it. */
  readonly install: string;
  /** Command that shows its warnings. */
  readonly test: string;
}

/** set undefined: the host has none. */
export async function checkWebServer(
  set: ConfigSet | undefined,
  words: WebServerWords,
  ctx: ActionContext,
): Promise<readonly Finding[]> {
  if (set === undefined) {
    const text = whyMissing(
      ctx.host,
      `no ${words.daemon} that the agent drives; install it (Debian: apt install ${words.install})`,
    );
    return [{ subject: `service:${words.daemon}`, level: 'error', text }];
  }
  return [
    await checkConfiguration(set, words, ctx),
    await checkRunning(set, words),
    ...(await checkReloads(set, words)),
  ];
}

async function checkConfiguration(set: ConfigSet, words: WebServerWords, ctx: ActionContext): Promise<Finding> {
  const { label } = set;
  const subject = `configuration:${words.daemon}`;
  const { complaint, warnings } = await set.test(ctx);
  if (complaint !== undefined) {
    const text = `broken: ${where(complaint)}; correct it, or ${label} will not start again and no site here can be changed`;
    return { subject, level: 'error', text };
  }
  if (warnings.length === 0) return { subject, level: 'ok', text: 'sound' };
  const [first = '', ...more] = warnings;
  const text = `${label} warns: ${first}${more.length === 0 ? '' : ` (and ${more.length} more: see ${words.test})`}`;
  return { subject, level: 'warning', text };
}

async function checkRunning(set: ConfigSet, words: WebServerWords): Promise<Finding> {
  const subject = `service:${words.daemon}`;
  const { daemon, host } = set;
  if (!(await daemon.isRunning())) {
    return { subject, level: 'error', text: 'it does not run: start it, or verify one of its sites' };
  }
  const base = await host.files.read(join(daemon.includeDir, set.baseFile));
  if (base === undefined) {
    return { subject, level: 'warning', text: 'it runs and is not prepared for sites yet: prepare the service' };
  }
  const loaded = await set.loadedGeneration();
  if (loaded === undefined) {
    const text =
      `it runs but does not answer for Aegir on port ${daemon.port}: look whether it includes ` +
      `${daemon.includeDir}/*.conf, and what else listens there`;
    return { subject, level: 'error', text };
  }
  if (loaded !== makeBase(parseManifest(base), set.renderBase).generation) {
    const text = 'it serves with an older configuration than the one on disk: prepare the service to reload it';
    return { subject, level: 'warning', text };
  }
  return { subject, level: 'ok', text: `it runs and answers on port ${daemon.port} with the configuration on disk` };
}

/** What an operator's configuration ends at reloads, which Aegir makes at each change of a site. */
async function checkReloads({ daemon }: ConfigSet, words: WebServerWords): Promise<readonly Finding[]> {
  const ends = (await daemon.room?.())?.ends;
  if (ends === undefined || ends.afterMs >= LONGEST_HOLD_MS) return [];
  const seconds = ends.afterMs / 1000;
  const text =
    `${ends.by} ends what is under way ${seconds} s after each change of a site, large uploads too, and visitors of a ` +
    `site that moves may wait no longer (--max-hold ${Math.max(1, Math.floor(seconds))}s): take it out, or raise it`;
  return [{ subject: `reloads:${words.daemon}`, level: 'warning', text }];
}
