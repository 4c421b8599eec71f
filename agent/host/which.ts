// Finds programs: in a fixed path, never in the environment of whoever started the agent.
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';

const DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const;

/** PATH of every process we start. */
export const SAFE_PATH = DIRECTORIES.join(':');

/** Absolute path of an executable file; undefined when there is none. */
export async function which(program: string): Promise<string | undefined> {
  if (isAbsolute(program)) return (await isProgram(program)) ? program : undefined;
  if (program === '' || program.includes('/')) return undefined;
  for (const directory of DIRECTORIES) {
    const path = join(directory, program);
    if (await isProgram(path)) return path;
  }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
