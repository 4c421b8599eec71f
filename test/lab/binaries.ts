// The binaries that lab hosts run, built when the sources have changed since the last time.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buildBinaries } from '../../deploy/build/main.ts';

const root = new URL('../..', import.meta.url).pathname;
const LAB = process.env['AEGIR_LAB_DIR'] ?? '/var/tmp/aegir-lab';
const SOURCES = ['agent', 'master', 'shared', 'deploy/build', 'deploy/systemd', 'package-lock.json'];

/** Other clones and sessions of this machine may be using theirs. */
const KEPT = 3;

/** Answers the directory that holds the archives. */
export async function binaries(): Promise<string> {
  const dir = join(LAB, `binaries-${digestOf(SOURCES)}`);
  if (existsSync(dir)) return dir;
  const made = await buildBinaries();
  const fresh = `${dir}.new-${process.pid}`;
  for (const path of Object.values(made)) cpSync(path, join(fresh, path.split('/').at(-1) ?? ''));
  try {
    renameSync(fresh, dir);
  } catch (error) {
    // Another run has built the same meanwhile.
    rmSync(fresh, { recursive: true });
    if (!existsSync(dir)) throw error;
  }
  forgetOld();
  return dir;
}

function forgetOld(): void {
  const all = readdirSync(LAB).filter((name) => /^binaries-[0-9a-f]+$/.test(name));
  const paths = all.map((name) => join(LAB, name)).map((path) => ({ path, made: statSync(path).mtimeMs }));
  paths.sort((one, other) => other.made - one.made);
  for (const { path } of paths.slice(KEPT)) rmSync(path, { recursive: true, force: true });
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
