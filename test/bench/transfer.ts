// 500 MB in 20,000 chunks from agent to agent, beside rsync and tar over ssh with as many files, in turn on this
// machine. Ours is durable when it says so; the peers' figures are given as they end and with the sync that makes them so.
import { execFile } from 'node:child_process';
import { createCipheriv, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { makeChunks } from '../mesh/kinds.ts';
import { startPeer } from '../mesh/peer-process.ts';
import { createMeshRig } from '../mesh/rig.ts';
import { cpuOf } from './cpu.ts';
import { piped } from './piped.ts';
import { startPrivateSshd } from './private-sshd.ts';

const CHUNKS = 20_000;
const CHUNK_BYTES = 25_000;
const [A, B] = ['srv-0123456789abcdea', 'srv-0123456789abcdeb'];
const exec = promisify(execFile);

interface Figure {
  readonly seconds: number;
  readonly cpuSeconds: number;
}
type Runner = (round: number) => Promise<void>;

export async function benchTransfer(argv: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...argv],
    options: { rounds: { type: 'string', default: '3' }, dir: { type: 'string', default: tmpdir() } },
  });
  const rounds = Number(values.rounds);
  const work = mkdtempSync(join(values.dir, 'aegir-bench-'));
  const rig = await createMeshRig(work);
  const sshd = await startPrivateSshd(join(work, 'sshd'));
  try {
    const a = await rig.passport(A);
    const b = await rig.passport(B);
    const tree = join(work, 'tree');
    const chunks = makeTree(tree);
    const made = await makeChunks(a.dir, 'all', chunks);
    const order = {
      senderId: A,
      receiverId: B,
      kind: 'chunks',
      name: 'all',
      digest: made.digest,
      maxBytes: made.bytes,
    };
    await exec('sync', ['-f', work]);

    const [sender, receiver] = [await startPeer({ passport: a }), await startPeer({ passport: b })];
    const pids = [sender.child.pid ?? 0, receiver.child.pid ?? 0, rig.pidOfNode()];
    const oursCpu = () => pids.reduce((sum, pid) => sum + cpuOf(pid, 'both'), 0);
    const sshCpu = () => cpuOf('self', 'children') + cpuOf(sshd.pid, 'children');
    const target = (name: string, round: number) => join(work, `${name}-${round}`);
    const [, ...sshArgs] = sshd.ssh;
    const host = sshArgs.pop() ?? '';
    const shell = ['ssh', ...sshArgs].join(' ');
    let received = 0;

    const mesh: Runner = async () => {
      const done = await receiver.receive(rig.grant(order));
      if (done.is !== 'done') throw new Error(done.message);
      received = done.facts.receivedBytes;
    };
    const rsync: Runner = async (round) => {
      await exec('rsync', ['-a', '-e', shell, `${tree}/`, `${host}:${target('rsync', round)}/`]);
    };
    const tar: Runner = async (round) => {
      mkdirSync(target('tar', round), { recursive: true });
      await piped(['tar', '-C', tree, '-c', '.'], [...sshd.ssh, `tar -C ${target('tar', round)} -x`]);
    };
    const synced =
      (runner: Runner): Runner =>
      async (round) => {
        await runner(round);
        await exec('sync', ['-f', work]);
      };
    const forget = () => {
      rmSync(join(b.dir, 'take', 'all.caibx'), { force: true });
      for (let i = 0; i < 256; i++) {
        const dir = join(b.dir, 'store', i.toString(16).padStart(2, '0'));
        rmSync(dir, { recursive: true, force: true });
        mkdirSync(dir);
      }
    };

    const figures = new Map<string, Figure[]>();
    const measure = async (name: string, cpu: () => number, runner: Runner, round: number) => {
      const [begin, before] = [performance.now(), cpu()];
      await runner(round);
      const figure = { seconds: (performance.now() - begin) / 1000, cpuSeconds: (cpu() - before) / 1000 };
      figures.set(name, [...(figures.get(name) ?? []), figure]);
      const bytes = name.startsWith('mesh') ? `, ${(received / 1e6).toFixed(1)} MB on the wire` : '';
      console.log(
        `round ${round + 1}: ${name.padEnd(24)} ${figure.seconds.toFixed(2)} s, cpu ${figure.cpuSeconds.toFixed(2)} s${bytes}`,
      );
    };
    for (let round = 0; round < rounds; round++) {
      forget();
      await exec('sync', ['-f', work]);
      await measure('mesh cold', oursCpu, mesh, round);
      await measure('mesh unchanged', oursCpu, mesh, round);
      await measure('rsync cold', sshCpu, rsync, round);
      await measure('rsync unchanged', sshCpu, rsync, round);
      rmSync(target('rsync', round), { recursive: true });
      await exec('sync', ['-f', work]);
      await measure('rsync cold, synced', sshCpu, synced(rsync), round);
      rmSync(target('rsync', round), { recursive: true });
      await measure('tar cold', sshCpu, tar, round);
      rmSync(target('tar', round), { recursive: true });
      await exec('sync', ['-f', work]);
      await measure('tar cold, synced', sshCpu, synced(tar), round);
      rmSync(target('tar', round), { recursive: true });
    }
    ratios(figures);
    await Promise.all([sender.kill(), receiver.kill()]);
  } finally {
    sshd.close();
    await rig.close();
    rmSync(work, { recursive: true, force: true });
  }
}

/** 20 folders; bytes that do not compress. Answers their contents. */
function makeTree(tree: string): Buffer[] {
  const cipher = createCipheriv('aes-256-ctr', randomBytes(32), Buffer.alloc(16));
  return Array.from({ length: CHUNKS }, (_, i) => {
    const dir = join(tree, String(i % 20));
    if (i < 20) mkdirSync(dir, { recursive: true });
    const bytes = cipher.update(Buffer.alloc(CHUNK_BYTES));
    writeFileSync(join(dir, `file-${i}`), bytes);
    return bytes;
  });
}

function ratios(figures: ReadonlyMap<string, readonly Figure[]>): void {
  const pairs = [
    ['mesh cold', 'rsync cold'],
    ['mesh cold', 'tar cold'],
    ['mesh cold', 'rsync cold, synced'],
    ['mesh cold', 'tar cold, synced'],
    ['mesh unchanged', 'rsync unchanged'],
  ] as const;
  for (const [ours, theirs] of pairs) {
    const [one = [], other = []] = [figures.get(ours), figures.get(theirs)];
    const of = (value: (figure: Figure) => number) =>
      one.map((figure, i) => value(figure) / value(other[i] ?? figure)).sort((x, y) => x - y);
    const show = (all: readonly number[]) =>
      `${all[Math.floor(all.length / 2)]?.toFixed(2)} (${all[0]?.toFixed(2)} to ${all.at(-1)?.toFixed(2)})`;
    console.log(
      `${ours} / ${theirs}: time ${show(of(({ seconds }) => seconds))}, cpu ${show(of(({ cpuSeconds }) => cpuSeconds))}`,
    );
  }
}
