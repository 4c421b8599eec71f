// The contract of a set of our files in one daemon's include directory: what guarded.ts and plan-file.ts need to know
// of nginx or of PHP-FPM in order to change its configuration safely.
import type { Daemon, FileOptions, Host } from '../../../host/host.ts';
import type { ActionContext } from '../../engine.ts';
import type { Complaint, TestResult } from './complaint.ts';
import type { Manifest, Mark } from './manifest.ts';

export interface ConfigSet {
  readonly host: Host;
  readonly daemon: Daemon;
  /** As people name it, for example "PHP-FPM 8.2". */
  readonly label: string;
  /** Name of our base file in the include directory: it keeps the manifest and tells the generation. */
  readonly baseFile: string;
  /** The base file; the generation is what loadedGeneration answers once this is loaded. Pure. */
  renderBase(manifest: Manifest, generation: string): string;
  /** Asks the daemon's program whether the configuration on disk is fit to be loaded. */
  test(ctx: ActionContext): Promise<TestResult>;
  /** True for complaints that the base file ends by being there. Pure. */
  isEndedByBase?(complaint: Complaint): boolean;
  /** Asks the daemon that runs which base file it has loaded; undefined when it does not run or has none. */
  loadedGeneration(): Promise<string | undefined>;
}

/** One file of ours to be there, or not to be. */
export interface Edit {
  readonly name: string;
  /** undefined removes. */
  readonly content: string | undefined;
  /** As people name it, for example "virtual host of example.org". */
  readonly subject: string;
  /** What the base file must know of the content. */
  readonly mark?: Mark;
  /** Other paths that the content needs and this plan makes: a complaint about them does not stop the plan. */
  readonly makes?: readonly string[];
  /** An error that tells more of the daemon's complaint about this file than we could; it undoes the edit. */
  explains?(complaint: Complaint): Error | undefined;
  /** Looks through the daemon's warnings after the test; an error it answers undoes the edit. */
  objects?(warnings: readonly string[]): Promise<Error | undefined>;
}

/** Begins what an administrator wrote (snippet.ts): keys may be in it. */
export const SNIPPET_BEGIN = '  # Snippet of an administrator.\n';

/**
 * Everybody may read what we write: no secret is in it, and the daemons of embedded hosts are not root. What an
 * administrator wrote is for the daemon alone.
 */
export function configFile({ daemon }: Pick<ConfigSet, 'daemon'>, content: string): FileOptions {
  return content.includes(SNIPPET_BEGIN) ? { mode: 0o640, owner: 'root', group: daemon.user } : { mode: 0o644 };
}
