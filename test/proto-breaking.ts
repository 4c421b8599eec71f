// Wire compatibility: the protos as they are against those of the commit before on main.
// The first commit with protos has nothing to break; any other trouble fails.
import { spawnSync } from 'node:child_process';

const root = new URL('..', import.meta.url).pathname;
const git = (...args: string[]) => spawnSync('git', args, { cwd: root, encoding: 'utf8' });

// origin/main is what others have; without a remote it is the commit that the work tree started from.
const base = ['origin/main', 'main', 'HEAD'].find((ref) => git('rev-parse', '--verify', '--quiet', ref).status === 0);
if (base === undefined || git('cat-file', '-e', `${base}:proto/buf.yaml`).status !== 0) {
  console.log('proto breaking: no earlier protos to compare with');
  process.exit(0);
}
const against = `${root}.git#ref=${base},subdir=proto`;
const result = spawnSync('buf', ['breaking', '--against', against], { cwd: `${root}proto`, stdio: 'inherit' });
process.exit(result.status ?? 1);
