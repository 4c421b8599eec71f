// Changes a daemon's configuration so that it works before, during and after: test what is there, write, test, reload,
// ask the daemon whether it has loaded it; whatever fails, the old files go back. One at a time per daemon.
import { join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import { waitUntil } from '../../../host/wait.ts';
import type { ActionContext } from '../../engine.ts';
import { brokenBefore, type Complaint, refused } from './complaint.ts';
import { type ConfigSet, configFile, type Edit } from './config-set.ts';
import { makeBase, parseManifest, withEntry } from './manifest.ts';

const IN_FORCE_MS = 20_000;

/** Without edit it brings the base file alone. The caller holds the daemon's lock. */
export async function applyEdit(set: ConfigSet, edit: Edit | undefined, doing: string, ctx: ActionContext) {
  const { daemon, host, label } = set;
  const { includeDir } = daemon;
  const basePath = join(includeDir, set.baseFile);
  const editPath = edit && join(includeDir, edit.name);

  const before = (await set.test(ctx)).complaint;
  if (before !== undefined && !isForUsToMend(set, edit, before)) throw brokenBefore(doing, label, includeDir, before);

  const oldBase = await host.files.read(basePath);
  const oldFile = editPath && (await host.files.read(editPath));
  const old = parseManifest(oldBase);
  const base = makeBase(edit ? withEntry(old, edit.name, edit.content, edit.mark) : old, set.renderBase);

  const putBack = async (): Promise<void> => {
    if (editPath) await put(set, editPath, oldFile);
    await put(set, basePath, oldBase);
  };

  if (!(await host.files.exists(includeDir))) await host.files.directory(includeDir, { mode: 0o755 });
  let keep = false;
  try {
    if (editPath) await put(set, editPath, edit.content);
    ctx.failpoint('agent.http.file-written');
    await put(set, basePath, base.text);
    ctx.failpoint('agent.http.base-written');
    const { complaint, warnings } = await set.test(ctx);
    if (complaint !== undefined) {
      // A file that somebody broke by hand stays mended even when another broken one comes to light behind it: putting
      // the broken one back would have each of the two wait for the other.
      keep = before !== undefined && before.file !== complaint.file;
      if (keep) throw brokenBefore(doing, label, includeDir, complaint);
      const explained = complaint.file === editPath ? edit?.explains?.(complaint) : undefined;
      throw explained ?? refused(doing, label, includeDir, complaint);
    }
    const objection = await edit?.objects?.(warnings);
    if (objection !== undefined) throw objection;
  } catch (thrown) {
    if (!keep) await putBack();
    throw thrown;
  }
  try {
    await load(set, base.generation, doing);
  } catch (thrown) {
    await putBack();
    await daemon.reload().catch((again: unknown) => {
      ctx.log('error', `${label} does not load its old configuration either: ${messageOf(again)}`);
    });
    throw thrown;
  }
  ctx.failpoint('agent.http.loaded');
}

/** Complaints that the edit itself ends: about its own file, our base file, or a path that the same plan makes. */
export function isForUsToMend(set: ConfigSet, edit: Edit | undefined, complaint: Complaint): boolean {
  const { file, message } = complaint;
  const { includeDir } = set.daemon;
  if (file === join(includeDir, set.baseFile) || set.isEndedByBase?.(complaint)) return true;
  if (edit === undefined) return false;
  return file === join(includeDir, edit.name) || (edit.makes ?? []).some((path) => message.includes(path));
}

async function load(set: ConfigSet, generation: string, doing: string): Promise<void> {
  await set.daemon.reload();
  if (await waitUntil(async () => (await set.loadedGeneration()) === generation, IN_FORCE_MS, 50)) return;
  throw new AegirError(
    'failed_precondition',
    `cannot ${doing}: ${set.label} still works with its old configuration ${IN_FORCE_MS / 1000} s after the reload, ` +
      `and the old files were put back; look into its error log, and whether it includes ${set.daemon.includeDir}/*.conf`,
  );
}

async function put(set: ConfigSet, path: string, content: string | undefined): Promise<void> {
  if (content === undefined) await set.host.files.remove(path);
  else await set.host.files.write(path, content, configFile(set, content));
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
