// What a daemon says of its configuration, and the error that a person can act on: the daemon's own words, the line,
// whose file that is and what to do about it. Pure.
import { basename, dirname } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';

export interface Complaint {
  /** The daemon's own words, one line. */
  readonly message: string;
  /** Absolute path, where the daemon named one. */
  readonly file: string | undefined;
  readonly line: number | undefined;
}

export interface TestResult {
  /** undefined when the configuration is fit to be loaded. */
  readonly complaint: Complaint | undefined;
  readonly warnings: readonly string[];
}

/** Site files of ours are aegir-<site id>.conf; the base file of a daemon sorts before them. */
export const OUR_FILE = /^aegir-.+\.conf$/;
const SITE_FILE = /^aegir-(site-[0-9a-z]{16})\.conf$/;

export function siteFile(siteId: string): string {
  return `aegir-${siteId}.conf`;
}

export function siteOfFile(name: string): string | undefined {
  return SITE_FILE.exec(name)?.[1];
}

/** Somebody broke the configuration before we touched it. */
export function brokenBefore(doing: string, label: string, includeDir: string, complaint: Complaint): AegirError {
  return new AegirError(
    'failed_precondition',
    `cannot ${doing}: the configuration of ${label} on this server is broken already: ${where(complaint)}; ` +
      whatToDo(complaint, includeDir),
  );
}

/** The daemon refused what we wrote; it was taken back. */
export function refused(doing: string, label: string, includeDir: string, complaint: Complaint): AegirError {
  const { file } = complaint;
  const ours = file !== undefined && isOurs(file, includeDir);
  const todo = ours ? 'this is a fault of Aegir, please report it' : whatToDo(complaint, includeDir);
  return new AegirError(
    ours ? 'internal' : 'failed_precondition',
    `cannot ${doing}: ${label} refuses the new configuration: ${where(complaint)}; the old one was put back; ${todo}`,
  );
}

export function where({ message, file, line }: Complaint): string {
  if (file === undefined || message.includes(file)) return message;
  return `${message} in ${file}${line === undefined ? '' : `:${line}`}`;
}

function whatToDo({ file, line }: Complaint, includeDir: string): string {
  if (file === undefined) return 'mend what it names';
  if (!isOurs(file, includeDir)) {
    return `that file is not Aegir's: correct or remove line ${line ?? '(see the message)'} of ${file}`;
  }
  const site = siteOfFile(basename(file));
  if (site === undefined) return `that file is Aegir's, changed by hand: verify this server`;
  return `that file is Aegir's, of ${site}, changed by hand or left half done: verify that site`;
}

function isOurs(file: string, includeDir: string): boolean {
  return dirname(file) === includeDir && OUR_FILE.test(basename(file));
}
