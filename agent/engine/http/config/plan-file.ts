// Plans one file of ours in a daemon's configuration: compares what is wanted, what is on disk, what we last had the
// daemon load, and what it says it has loaded, and names the difference in words. Reads only.
import { join } from 'node:path';
import { sha256Hex } from '../../../../shared/digest.ts';
import { waitUntil } from '../../../host/wait.ts';
import type { ActionContext, Change } from '../../engine.ts';
import { brokenBefore } from './complaint.ts';
import { type ConfigSet, configFile, type Edit } from './config-set.ts';
import { applyEdit, isForUsToMend } from './guarded.ts';
import type { Locks } from './lock.ts';
import { makeBase, parseManifest } from './manifest.ts';

/** Empty when the file is as wanted and loaded. Throws when the configuration is broken and not by a file of this plan. */
export async function planFile(
  set: ConfigSet,
  edit: Edit,
  locks: Locks,
  ctx: ActionContext,
): Promise<readonly Change[]> {
  const removing = edit.content === undefined;
  const base = await set.host.files.read(join(set.daemon.includeDir, set.baseFile));
  const known = parseManifest(base).get(edit.name)?.digest;
  const current = await set.host.files.read(join(set.daemon.includeDir, edit.name));
  if (removing && current === undefined && base === undefined) return [];

  const summary = await describe(set, edit, known, current, base, ctx);
  if (summary === undefined) return [];
  const { complaint } = await set.test(ctx);
  if (complaint !== undefined && !isForUsToMend(set, edit, complaint)) {
    throw brokenBefore(summary, set.label, set.daemon.includeDir, complaint);
  }
  return [change(set, edit, summary, locks)];
}

/** The base file alone, for a daemon that has no sites yet. */
export async function planBase(set: ConfigSet, locks: Locks, ctx: ActionContext): Promise<readonly Change[]> {
  const path = join(set.daemon.includeDir, set.baseFile);
  const base = await set.host.files.read(path);
  const why = await notLoaded(set, base);
  if (why === undefined) return [];
  const verb = base === undefined ? 'create' : 'mend';
  const summary = why === 'file' ? `${verb} base configuration of ${set.label} (${path})` : loadSummary(set, why);
  const { complaint } = await set.test(ctx);
  if (complaint !== undefined && !isForUsToMend(set, undefined, complaint)) {
    throw brokenBefore(summary, set.label, set.daemon.includeDir, complaint);
  }
  return [change(set, undefined, summary, locks)];
}

function change(set: ConfigSet, edit: Edit | undefined, summary: string, locks: Locks): Change {
  return { summary, run: (ctx) => locks(set.daemon.name, () => applyEdit(set, edit, doing(summary), ctx)) };
}

async function describe(
  set: ConfigSet,
  edit: Edit,
  known: string | undefined,
  current: string | undefined,
  base: string | undefined,
  ctx: ActionContext,
): Promise<string | undefined> {
  const { subject, content } = edit;
  if (content === undefined) {
    if (current !== undefined) return `remove ${subject}`;
    if (known !== undefined) return `unload ${subject}: its file is gone`;
  } else {
    if (current === undefined) return known === undefined ? `create ${subject}` : `restore ${subject}: it was missing`;
    const asWanted = await set.host.files.matches(
      join(set.daemon.includeDir, edit.name),
      content,
      configFile(set, content),
    );
    if (!asWanted && current === content) return `restore ${subject}: its mode or owner was changed`;
    if (!asWanted && known === sha256Hex(current)) return `update ${subject}`;
    if (!asWanted) return `restore ${subject}: it was changed by hand`;
    if (known !== sha256Hex(content)) return `load ${subject}: it was written but not loaded`;
  }
  const why = await notLoaded(set, base);
  // Nothing of this site is there: a daemon that stands still has nothing of it loaded.
  if (why === undefined || (content === undefined && why === 'stopped')) return undefined;
  ctx.log('debug', `${set.label}: ${why}`);
  return why === 'file' ? `mend base configuration of ${set.label}` : loadSummary(set, why);
}

/** That a running daemon has to tell what it has loaded. */
const ANSWER_MS = 5_000;

type NotLoaded = 'file' | 'stopped' | 'old';

async function notLoaded(set: ConfigSet, base: string | undefined): Promise<NotLoaded | undefined> {
  const wanted = makeBase(parseManifest(base), set.renderBase);
  if (base !== wanted.text) return 'file';
  let loaded = await set.loadedGeneration();
  if (loaded === undefined && (await set.daemon.isRunning())) {
    // No answer is not an old one: in the middle of a reload its workers go, and a busy host lets them wait.
    const answered = async () => {
      loaded = await set.loadedGeneration();
      return loaded !== undefined;
    };
    await waitUntil(answered, ANSWER_MS, 100);
  }
  if (loaded === wanted.generation) return undefined;
  return (await set.daemon.isRunning()) ? 'old' : 'stopped';
}

function loadSummary(set: ConfigSet, why: NotLoaded): string {
  if (why === 'stopped') return `start ${set.label}: it does not run`;
  return `reload ${set.label}: its configuration was written but not loaded`;
}

/** A summary's first part, for "cannot …". */
function doing(summary: string): string {
  return summary.split(':', 1)[0] ?? summary;
}
