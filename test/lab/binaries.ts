// The binaries that lab hosts run, built when the sources have changed since the last time.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildBinaries } from '../../deploy/build/main.ts';

const root = new URL('../..', import.meta.url).pathname;
const LAB = process.env['AEGIR_LAB_DIR'] ?? '/var/tmp/aegir-lab';
const SOURCES = ['agent', 'master', 'shared', 'deploy/build', 'deploy/systemd', 'package-lock.json'];

/** Answers the directory that holds the archives. */
export async function binaries(): Promise<string> {
  const dir = join(LAB, `binaries-${digestOf(SOURCES)}`);
  if (existsSync(dir)) return dir;
  const made = await buildBinaries();
  mkdirSync(LAB, { recursive: true });
  for (const name of readdirSync(LAB))
    if (name.startsWith('binaries-')) rmSync(join(LAB, name), { recursive: true, force: true });
  const fresh = `${dir}.new`;
  for (const path of Object.values(made)) cpSync(path, join(fresh, path.split('/').at(-1) ?? ''));
  renameSync(fresh, dir);
  return dir;
}

function digestOf(paths: readonly string[]): string {
  const hash = createHash('sha256');
  const add = (path: string): void => {
    const full = join(root, path);
    const entries = existsSync(full) ? tryList(full) : [];
    if (entries === undefined) hash.update(path).update(readFileSync(full));
    else for (const name of entries) add(join(path, name));
  };
  for (const path of paths) add(path);
  return hash.digest('hex').slice(0, 12);
}

/** undefined for a file. */
function tryList(path: string): string[] | undefined {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}
