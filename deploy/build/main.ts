// npm run build: aegir-agent, aegir and aegir-master as single files that need no Node, and the archive that masters offer to new hosts.
//   dist/aegir-agent-linux-ARCH.tar.gz   aegir-agent, libatomic.so.1, aegir-agent.service
//   dist/aegir-linux-ARCH.tar.gz         aegir, libatomic.so.1
//   dist/aegir-master-linux-ARCH.tar.gz  aegir-master, libatomic.so.1, aegir-master.service
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { pack } from 'tar-stream';
import { WORKER_ASSET } from '../../agent/backup/workers.ts';
import { sha256Hex } from '../../shared/digest.ts';
import { embedProtos } from './embed-protos.ts';

const root = new URL('../..', import.meta.url).pathname;
const dist = join(root, 'dist');
const node = join(root, 'node_modules/node/bin/node');
// Node's own binary needs it, and a bare Debian lacks it; it travels with us (GCC runtime library exception).
const LIBATOMIC = ['/usr/lib/x86_64-linux-gnu/libatomic.so.1', '/usr/lib/aarch64-linux-gnu/libatomic.so.1'];

interface Program {
  readonly name: string;
  readonly entry: string;
  readonly more: readonly string[];
  /** Programs of its threads, by their names inside of the binary. */
  readonly threads?: Readonly<Record<string, string>>;
  /**
   * Options of Node inside the binary. V8 lets the nursery of new objects grow to several times 16 MB, and what daemons that
   * mostly wait have once touched stays resident: bounded, the agent takes 9 MB less at rest and the master up to 30. Bytes
   * on their way make V8 collect all the time; its threads for that take 5 s of processors for a copy of 500 MB, and the
   * work done in one goes for 1.
   */
  readonly node: readonly string[];
}

const PROGRAMS: readonly Program[] = [
  {
    name: 'aegir-agent',
    entry: 'agent/main.ts',
    more: ['deploy/systemd/aegir-agent.service'],
    threads: { [WORKER_ASSET]: 'agent/backup/worker.ts' },
    node: ['--max-semi-space-size=1', '--single-threaded-gc', '--disable-warning=ExperimentalWarning'],
  },
  { name: 'aegir', entry: 'master/cli/main.ts', more: [], node: [] },
  {
    name: 'aegir-master',
    entry: 'master/main.ts',
    more: ['deploy/systemd/aegir-master.service'],
    node: ['--max-semi-space-size=2'],
  },
];

async function bundle(work: string, name: string, entry: string): Promise<string> {
  const outfile = join(work, `${name}.cjs`);
  await build({
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'cjs',
    minify: true,
    keepNames: true,
    legalComments: 'none',
    // Optional native parts that these packages try and do without.
    external: ['pg-native', 'bufferutil', 'utf-8-validate'],
    // CommonJS has no import.meta; what needs a path asks whether it is the binary first.
    define: { 'import.meta.dirname': 'undefined' },
    plugins: [embedProtos],
    logLevel: 'warning',
  });
  return outfile;
}

/** One file: Node with the bundle inside, which looks for its libraries beside itself. */
function makeBinary(
  work: string,
  name: string,
  main: string,
  assets: Readonly<Record<string, string>>,
  execArgv: readonly string[],
): string {
  const output = join(work, name);
  const config = join(work, `${name}.json`);
  writeFileSync(
    config,
    JSON.stringify({
      main,
      output,
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: true,
      assets,
      execArgv,
    }),
  );
  execFileSync(node, ['--build-sea', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  execFileSync('patchelf', ['--set-rpath', '$ORIGIN', output]);
  return output;
}

/** The same bytes for the same content: no times, no owners. */
async function archive(
  path: string,
  files: readonly { readonly name: string; readonly source: string; readonly mode: number }[],
): Promise<string> {
  const tar = pack();
  for (const { name, source, mode } of files)
    tar.entry({ name, mode, mtime: new Date(0), uid: 0, gid: 0 }, readFileSync(source));
  tar.finalize();
  const parts: Uint8Array[] = [];
  for await (const part of tar) parts.push(part as Uint8Array);
  const bytes = gzipSync(Buffer.concat(parts), { level: 4 });
  // Whole or not at all: a master may be serving the one before, another build may be at it too.
  const fresh = `${path}.${process.pid}.new`;
  writeFileSync(fresh, bytes);
  renameSync(fresh, path);
  return sha256Hex(bytes);
}

/** Builds what is named, or everything; answers the archives by program. */
export async function buildBinaries(
  names: readonly string[] = PROGRAMS.map((program) => program.name),
): Promise<Readonly<Record<string, string>>> {
  const libatomic = LIBATOMIC.find(existsSync);
  if (libatomic === undefined) throw new Error('build: libatomic.so.1 is missing; run: apt-get install libatomic1');
  mkdirSync(dist, { recursive: true });
  const work = mkdtempSync(join(dist, 'work-'));
  const made: Record<string, string> = {};
  try {
    cpSync(realpathSync(libatomic), join(work, 'libatomic.so.1'));
    for (const program of PROGRAMS.filter(({ name }) => names.includes(name))) {
      const main = await bundle(work, program.name, program.entry);
      const threads: Record<string, string> = {};
      for (const [asset, entry] of Object.entries(program.threads ?? {})) {
        threads[asset] = await bundle(work, asset.replace(/\.cjs$/, ''), entry);
      }
      const binary = makeBinary(work, program.name, main, threads, program.node);
      execFileSync(binary, ['--version'], { stdio: 'ignore', env: { LD_LIBRARY_PATH: '' } });
      const path = join(dist, `${program.name}-linux-${process.arch}.tar.gz`);
      const digest = await archive(path, [
        { name: program.name, source: binary, mode: 0o755 },
        { name: 'libatomic.so.1', source: join(work, 'libatomic.so.1'), mode: 0o644 },
        ...program.more.map((source) => ({
          name: source.split('/').at(-1) ?? source,
          source: join(root, source),
          mode: 0o644,
        })),
      ]);
      console.log(`${path}\n  sha256 ${digest}`);
      made[program.name] = path;
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return made;
}

if (process.argv[1] === import.meta.filename) await buildBinaries();
