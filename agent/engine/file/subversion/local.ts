// A Subversion repository on this server itself: whose it must be, and that it has no hooks, which svn runs as whoever
// commits, and cannot leave out.
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { AegirError } from '../../../../shared/error.ts';
import { openLocalPath } from '../local-repository.ts';
import type { Scratch } from '../scratch.ts';

/** Those of a commit. */
const HOOKS = ['start-commit', 'pre-commit', 'post-commit'];

/** The url without links, and as whom svn runs. Throws failed_precondition when its repository belongs to others or has hooks. */
export async function localUrl(
  url: string,
  scratch: Scratch,
): Promise<{ readonly url: string; readonly runsAs: string }> {
  const { path, user, upwards, own } = await openLocalPath(fileURLToPath(url), scratch);
  const formats = upwards.map((directory) => join(directory, 'format'));
  const found = new Set(await own([...upwards, ...formats]));
  // The url goes on inside the repository, which is the innermost that svn takes for one: look at each that may be it.
  const roots = upwards.filter((_, at) => found.has(formats[at] ?? ''));
  const parts = ['db', 'conf', 'hooks'].flatMap((part) => roots.map((root) => join(root, part)));
  const hooks = HOOKS.flatMap((hook) => roots.map((root) => join(root, 'hooks', hook)));
  const there = new Set(await own([...parts, ...hooks]));
  const hook = hooks.find((path) => there.has(path));
  if (hook !== undefined) {
    throw new AegirError(
      'failed_precondition',
      `cannot open the store: the repository ${url} has a hook, which would run as us: ${hook}; remove it, or have the ` +
        'repository reached by svnserve or https',
    );
  }
  return { url: pathToFileURL(path).href, runsAs: user };
}
