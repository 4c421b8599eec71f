// A git repository on this server itself: whose it must be, and how git works at its end, where the repository's own
// configuration rules.
import { join } from 'node:path';
import { openLocalPath } from '../local-repository.ts';
import type { Scratch } from '../scratch.ts';

/** Stronger than the repository's own configuration. What it could have run, or have done beside what we ask for. */
const ABOVE_ITS_OWN = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  // A program that lists refs of repositories whose objects this one shares; this one lists none.
  'core.alternateRefsCommand=true',
  // Would check files out, by filters.
  'receive.denyCurrentBranch=refuse',
  'receive.autoGc=false',
  'gc.auto=0',
  'maintenance.auto=false',
];

/** Options of the remote for it. Throws failed_precondition when it belongs to others. */
export async function localRemote(
  url: string,
  scratch: Scratch,
): Promise<{
  readonly path: string;
  readonly user: string;
  readonly uploadPack: string;
  readonly receivePack: string;
}> {
  const { path, user, upwards, own } = await openLocalPath(url, scratch);
  const parts = ['HEAD', 'config', 'config.worktree', 'hooks', 'objects', '.git', '.git/config', '.git/hooks'];
  await own([...upwards, ...parts.map((part) => join(path, part))]);
  // By a shell. Objects that are not there are not fetched from where the repository says.
  const git = ['GIT_NO_LAZY_FETCH=1', 'git', ...ABOVE_ITS_OWN.flatMap((option) => ['-c', option])].join(' ');
  return { path, user, uploadPack: `${git} upload-pack`, receivePack: `${git} receive-pack` };
}
