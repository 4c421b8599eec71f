// verify-platform: whether a path is a code base of an app, and what can be said of it.
import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { AegirError } from '../../shared/error.ts';
import type { ActionContext } from '../engine/engine.ts';
import type { HostPaths } from '../host/host.ts';
import { type ActionHandler, appFor, type Outcome, type Tools } from './action.ts';
import { betrayingLink, ownThatMeets } from './code-links.ts';

export function createVerifyPlatform(): ActionHandler<'verifyPlatform'> {
  return {
    kind: 'verifyPlatform',
    label: () => 'verify-platform',
    async run({ platform }, ctx, tools) {
      await checkDirectory(platform.root);
      await checkApart(platform.root, ctx.host.paths);
      return recognise(platform.root, platform.app, ctx, tools);
    },
  };
}

async function recognise(root: string, app: string, ctx: ActionContext, tools: Tools): Promise<Outcome> {
  const candidates = app === '' ? tools.apps : [appFor(tools, app)];
  for (const candidate of candidates) {
    ctx.signal.throwIfAborted();
    const facts = await candidate.recognise(root, ctx.host);
    if (facts === undefined) continue;
    // Where the code says that its pages lie, by a link perhaps.
    if (facts.docroot !== '') await checkApart(facts.docroot, ctx.host.paths);
    await checkLinks(root, facts.docroot, ctx);
    return { changes: [], platform: facts };
  }
  const names = candidates.map((candidate) => candidate.name).join(', ');
  throw unusable(root, `it is no code base of ${names}; name the directory that holds one`);
}

async function checkDirectory(root: string): Promise<void> {
  try {
    if (!(await stat(root)).isDirectory())
      throw unusable(root, 'it is no directory; name the directory that holds the code');
    await access(root, constants.R_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof AegirError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw unusable(root, 'there is no such directory on this server; put the code there first', error);
    }
    if (code === 'EACCES' || code === 'EPERM') {
      throw unusable(root, 'the agent may not read it; make it readable', error);
    }
    throw unusable(root, error instanceof Error ? error.message : String(error), error);
  }
}

async function checkLinks(root: string, docroot: string, ctx: ActionContext): Promise<void> {
  const found = await betrayingLink(docroot === '' ? [root] : [root, docroot], ctx);
  if (found === undefined) return;
  const { at, real, ours } = found;
  throw unusable(
    root,
    `its link ${at} leads to ${real}, and visitors would be shown what ${ours} has of sites; remove it`,
  );
}

/** A site of a code base that is, holds or lies in our own directories would serve what belongs to other sites, or to us. */
async function checkApart(root: string, paths: HostPaths): Promise<void> {
  const ours = await ownThatMeets(await realpath(root), paths);
  if (ours === undefined) return;
  throw unusable(root, `${ours} is Aegir's own, and the code may neither lie in it nor hold it; put it somewhere else`);
}

function unusable(root: string, why: string, cause?: unknown): AegirError {
  return new AegirError('failed_precondition', `cannot use ${root} as a platform: ${why}`, { cause });
}
