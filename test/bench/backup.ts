// A site of 20,000 files and 500 MB: kept on a store of this server beside restic, and brought to another agent beside
// rsync and tar over ssh; cold and unchanged, in turn on this machine. --large GB: the memory of both agents meanwhile.
// --hollow GB: one file of that size and 4 MB in it, the rest a hole.
//
// Seen on 2026-11-27, two processors at rest, three rounds, `npm run bench -- backup --rounds 3` at f683400; ours to theirs, as
// median (least to most). The peers: restic 3.1 s and 1.3 s, rsync 2.3 to 2.7 s and 0.45 s, tar 2.4 to 3.5 s.
//
//                                   time                 processors           bytes on the wire
//   store / restic, cold            1.04 (1.01 to 1.11)  0.97 (0.97 to 1.09)
//   store / restic, again           0.29 (0.28 to 0.30)  0.35 (0.35 to 0.38)
//   copy / rsync, cold              2.17 (2.15 to 2.51)  2.53 (2.48 to 2.88)  1.00
//   copy / rsync that syncs, cold   1.71 (1.44 to 1.98)  2.02 (1.73 to 2.66)  1.00
//   copy / tar, cold                2.12 (1.41 to 2.63)  3.09 (1.64 to 3.68)  0.98
//   copy / rsync, again             0.58 (0.58 to 0.60)  1.32 (1.30 to 1.34)  0.15
//
// While others load the machine: 0.95, 0.29, 1.40, -, 1.66, 0.72.
//
// What bounds it, by perf, --cpu-prof and the processors of each thread. A cold copy is bound by processors: of 8 s (two
// processors: never under 4 s) the node takes 1.6 by Go's own GOGC and two fifths less by ours (it takes TLS off and puts it
// on again, a call of the system for each 16 KiB; ssh has no third party), the snapshot 1.4 (SHA-256 and cut points of all
// bytes, a quarter each; two threads, 0.8 s), sender 1.8 (reads them once more, zstd 0.3, TLS), receiver 3: TLS and its
// main thread 1, SHA-256 0.4, zstd 0.1, and 1.1 s in which it alone puts files back, mostly in the system for each new file
// and new page. What came is written twice: no name of the site is touched before all of it was looked through. Written
// once, as files that are only moved to their place, it takes as many processors (a move and an owner for each file cost
// what the second writing does), so it stayed. On a virtual machine a page of memory that was not used lately costs up to
// 28 us, and ext4 passes one by one over inodes that went minutes ago (the same 20,000 files are written in 0.5 to 7 s of
// processor), which is why rsync, too, takes 2.3 to 6 s.
// A cold store: snapshot 0.8 s; then 3.3 s of processors in 2.5: SHA-256 and frames 0.8, chunks read again 0.6, writes 0.4,
// the main thread 1.3, of which a sixth is V8's collections and a tenth the copies of its memory that sync(1), two for each
// 64 MB, begins as. What is unchanged: one look at each file's facts, on a copy at both ends, nine tenths of its time: each
// by two threads, so that on two processors they gain nothing by being at once. Half of a look is statx itself (2.8 us in
// C, too), a tenth the lines (written byte by byte they take as long). Threads that rested for 15 s begin anew, which costs
// as much.
// Memory at 5 GiB: sender 203 MB, receiver 257 to 277 MB, of 147 MB at rest; of 20,000 files 287 and 269 MB.
import { execFile } from 'node:child_process';
import { createCipheriv, randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { siteLayout } from '../../agent/host/site-layout.ts';
import { Grant } from '../../shared/gen/aegir/v1/mesh.ts';
import { type KeeperProcess, startKeeper } from '../backup/keeper-process.ts';
import { SITE } from '../backup/rig.ts';
import { createMeshRig, type MeshRig } from '../mesh/rig.ts';
import { cpuOf } from './cpu.ts';
import { piped } from './piped.ts';
import { startPrivateSshd } from './private-sshd.ts';

const FILES = 20_000;
const FILE_BYTES = 25_000;
const [A, B] = ['srv-0123456789abcdea', 'srv-0123456789abcdeb'];
const exec = promisify(execFile);

interface Figure {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly wireBytes: number;
}
/** Answers bytes on the wire; 0 where there is none. */
type Runner = () => Promise<number>;

export async function benchBackup(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rounds: { type: 'string', default: '3' },
      dir: { type: 'string', default: tmpdir() },
      large: { type: 'string', default: '0' },
      hollow: { type: 'string', default: '0' },
    },
  });
  const work = mkdtempSync(join(values.dir, 'aegir-bench-'));
  const rig = await createMeshRig(work);
  const agents = { a: await startKeeper(await rig.passport(A)), b: await startKeeper(await rig.passport(B)) };
  const tree = siteLayout({ sites: join(rig.dir, A, 'sites'), logs: '', run: '' }, SITE.id).files;
  try {
    if (Number(values.hollow) > 0) await benchHollow(rig, agents, tree, Number(values.hollow));
    else if (Number(values.large) > 0) await benchLarge(rig, agents, tree, Number(values.large));
    else await benchSite(rig, agents, work, tree, Number(values.rounds));
  } finally {
    await Promise.all([agents.a.kill(), agents.b.kill()]);
    await rig.close();
    rmSync(work, { recursive: true, force: true });
  }
}

interface Agents {
  readonly a: KeeperProcess;
  readonly b: KeeperProcess;
}

let names = 0;
/** A snapshot of a's site, and leave for who gets it. */
async function taken(rig: MeshRig, { a }: Agents, receiverId: string) {
  names += 1;
  const id = `snap-${String(names).padStart(16, '0')}`;
  const { digest = '', bytes = 0, readBytes = 0 } = await a.tell({ do: 'take', id });
  const grant = rig.grant({
    ...{
      senderId: A,
      receiverId,
      kind: 'part',
      name: `snapshot/${id}`,
      digest: Buffer.from(digest, 'hex'),
      maxBytes: bytes,
    },
  });
  return { grant: Grant.toJSON(grant), readBytes };
}

async function benchSite(rig: MeshRig, agents: Agents, work: string, tree: string, rounds: number): Promise<void> {
  const { a, b } = agents;
  const sshd = await startPrivateSshd(join(work, 'sshd'));
  const target = join(work, 'target');
  const repository = join(work, 'restic');
  const restic = ['-r', repository, '--cache-dir', join(work, 'restic-cache'), '-q'];
  const env = { ...process.env, RESTIC_PASSWORD: 'bench' };
  const [, ...sshArguments] = sshd.ssh;
  const host = sshArguments.pop() ?? '';
  const shell = ['ssh', ...sshArguments].join(' ');
  const ours = () => [a.pid, b.pid, rig.pidOfNode()].reduce((sum, pid) => sum + cpuOf(pid, 'both'), 0);
  // What ends after ssh has answered counts, too.
  const theirs = () => sshd.settled().then(() => cpuOf('self', 'children') + cpuOf(sshd.pid, 'children'));

  const runners: Record<string, Runner> = {
    async store() {
      const { grant } = await taken(rig, agents, A);
      await a.tell({ do: 'store', backupId: `bak-${String(names).padStart(16, '0')}`, grant });
      return 0;
    },
    async restic() {
      await exec('restic', [...restic, 'backup', tree], { env });
      return 0;
    },
    async copy() {
      const { grant } = await taken(rig, agents, B);
      const { wireBytes = 0 } = await b.tell({ do: 'restore', grant });
      return wireBytes;
    },
    async rsync() {
      const { stdout } = await exec('rsync', ['-a', '--stats', '-e', shell, `${tree}/`, `${host}:${target}/`]);
      return Number(/Total bytes sent: ([0-9,]+)/.exec(stdout)?.[1]?.replaceAll(',', ''));
    },
    async tar() {
      return piped(['tar', '-C', tree, '-c', '.'], [...sshd.ssh, `tar -C ${target} -x`]);
    },
  };
  const synced =
    (runner: Runner | undefined): Runner =>
    async () => {
      const bytes = (await runner?.()) ?? 0;
      await exec('sync', ['-f', work]);
      return bytes;
    };
  const figures = new Map<string, Figure[]>();
  const measure = async (
    name: string,
    cpu: () => number | Promise<number>,
    runner: Runner | undefined,
    round: number,
  ) => {
    const before = await cpu();
    const begin = performance.now();
    const wireBytes = (await runner?.()) ?? 0;
    const seconds = (performance.now() - begin) / 1000;
    const figure = { seconds, cpuSeconds: ((await cpu()) - before) / 1000, wireBytes };
    figures.set(name, [...(figures.get(name) ?? []), figure]);
    console.log(
      `round ${round + 1}: ${name.padEnd(20)} ${figure.seconds.toFixed(2)} s, cpu ${figure.cpuSeconds.toFixed(2)} s` +
        (wireBytes === 0 ? '' : `, ${(wireBytes / 1e6).toFixed(1)} MB on the wire`),
    );
  };
  let away = 0;
  /** Nothing is removed before the end: see keeper-child.ts. */
  const fresh = async (...dirs: readonly string[]) => {
    for (const dir of dirs) {
      away += 1;
      if (existsSync(dir)) renameSync(dir, `${dir}.away-${away}`);
      mkdirSync(dir, { recursive: true });
    }
    await exec('sync', ['-f', work]);
  };

  try {
    makeTree(tree);
    for (let round = 0; round < rounds; round++) {
      await fresh(repository, join(work, 'restic-cache'));
      await exec('restic', [...restic, 'init'], { env });
      await a.tell({ do: 'forget', trees: false });
      // Files that changed seconds ago are copied, since they may change again: ours are older.
      await new Promise((resolve) => setTimeout(resolve, round === 0 ? 11_000 : 0));
      await measure('restic cold', theirs, runners['restic'], round);
      await measure('store cold', ours, runners['store'], round);
      await measure('restic unchanged', theirs, runners['restic'], round);
      await measure('store unchanged', ours, runners['store'], round);
      await fresh(repository);

      await a.tell({ do: 'forget', trees: false });
      await b.tell({ do: 'forget', trees: true });
      await fresh(target);
      await measure('copy cold', ours, runners['copy'], round);
      await exec('diff', ['-r', '--brief', tree, tree.replace(A, B)]);
      await measure('rsync cold', theirs, runners['rsync'], round);
      await measure('copy unchanged', ours, runners['copy'], round);
      await measure('rsync unchanged', theirs, runners['rsync'], round);
      await fresh(target);
      await measure('rsync cold, synced', theirs, synced(runners['rsync']), round);
      await fresh(target);
      await measure('tar cold', theirs, runners['tar'], round);
      await fresh(target);
      await measure('tar cold, synced', theirs, synced(runners['tar']), round);
    }
    ratios(figures);
  } finally {
    sshd.close();
  }
}

async function benchLarge(rig: MeshRig, agents: Agents, tree: string, gigabytes: number): Promise<void> {
  const { a, b } = agents;
  const cipher = createCipheriv('aes-256-ctr', randomBytes(32), Buffer.alloc(16));
  const file = join(tree, 'large');
  for (let i = 0; i < gigabytes * 64; i++) {
    writeFileSync(file, cipher.update(Buffer.alloc(16 * 1024 * 1024)), { flag: 'a' });
  }
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  const memory = async () => {
    const all = await Promise.all([a, b].map((agent) => agent.tell({ do: 'usage' })));
    return all.map(({ usage }) => `${((usage?.maxRssBytes ?? 0) / 1e6).toFixed(0)} MB`).join(', ');
  };
  console.log(`at rest: ${await memory()} (sender, receiver)`);
  const begin = performance.now();
  const { grant } = await taken(rig, agents, B);
  console.log(`snapshot of ${gigabytes} GiB: ${((performance.now() - begin) / 1000).toFixed(1)} s, ${await memory()}`);
  const { receivedBytes = 0 } = await b.tell({ do: 'restore', grant });
  const seconds = (performance.now() - begin) / 1000;
  console.log(
    `with the restore: ${seconds.toFixed(1)} s, ${(receivedBytes / 1e9).toFixed(2)} GB came, ${await memory()}`,
  );
}

/** A backup is a snapshot and what the store makes of it; a move is a snapshot and what the other agent makes of it. */
async function benchHollow(rig: MeshRig, agents: Agents, tree: string, gigabytes: number): Promise<void> {
  const { a, b } = agents;
  const file = openSync(join(tree, 'disk.img'), 'w');
  const size = gigabytes * 1024 ** 3;
  for (let i = 0; i < 4; i++) writeSync(file, randomBytes(1024 ** 2), 0, 1024 ** 2, (i * (size - 1024 ** 2)) / 3);
  closeSync(file);
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  const timed = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    const begin = performance.now();
    const answer = await act();
    console.log(`${what}: ${((performance.now() - begin) / 1000).toFixed(2)} s`);
    return answer;
  };
  const kept = await timed(`snapshot of ${gigabytes} GiB`, () => taken(rig, agents, A));
  const backupId = `bak-${String(names).padStart(16, '0')}`;
  await timed('kept in the store', () => a.tell({ do: 'store', backupId, grant: kept.grant }));
  const known = await timed('snapshot when it is known', () => taken(rig, agents, B));
  await timed('brought to the other agent', () => b.tell({ do: 'restore', grant: known.grant }));
  const again = await timed('snapshot once more', () => taken(rig, agents, B));
  await timed('brought where it is already', () => b.tell({ do: 'restore', grant: again.grant }));
  console.log(`the file takes ${statSync(join(tree.replace(A, B), 'disk.img')).blocks / 2} KiB there`);
}

/** 20 folders of the site's own; bytes that do not compress. */
function makeTree(tree: string): void {
  const { uid, gid } = statSync(tree);
  const cipher = createCipheriv('aes-256-ctr', randomBytes(32), Buffer.alloc(16));
  for (let i = 0; i < FILES; i++) {
    const dir = join(tree, String(i % 20));
    const file = join(dir, `file-${i}`);
    if (i < 20) {
      mkdirSync(dir, { recursive: true });
      chownSync(dir, uid, gid);
    }
    writeFileSync(file, cipher.update(Buffer.alloc(FILE_BYTES)));
    chownSync(file, uid, gid);
  }
}

function ratios(figures: ReadonlyMap<string, readonly Figure[]>): void {
  const pairs = [
    ['store cold', 'restic cold'],
    ['store unchanged', 'restic unchanged'],
    ['copy cold', 'rsync cold'],
    ['copy cold', 'tar cold'],
    ['copy cold', 'rsync cold, synced'],
    ['copy cold', 'tar cold, synced'],
    ['copy unchanged', 'rsync unchanged'],
  ] as const;
  for (const [our, their] of pairs) {
    const [one = [], other = []] = [figures.get(our), figures.get(their)];
    const show = (value: (figure: Figure) => number) => {
      const all = one.map((figure, i) => value(figure) / value(other[i] ?? figure)).sort((x, y) => x - y);
      return `${all[Math.floor(all.length / 2)]?.toFixed(2)} (${all[0]?.toFixed(2)} to ${all.at(-1)?.toFixed(2)})`;
    };
    const wire = one.some(({ wireBytes }) => wireBytes > 0) ? `, wire ${show(({ wireBytes }) => wireBytes)}` : '';
    console.log(
      `${our} / ${their}: time ${show(({ seconds }) => seconds)}, cpu ${show(({ cpuSeconds }) => cpuSeconds)}${wire}`,
    );
  }
}
