// Parts of anybody's making, given as snapshots of an agent: what a sender that lies, or a store that was tampered with,
// would give.
import { hash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createIndexWriter } from '../../agent/backup/caibx-file.ts';
import { openPack } from '../../agent/backup/pack.ts';
import type { SnapshotFacts } from '../../shared/gen/aegir/v1/backup.ts';
import type { Keeper } from './rig.ts';

/** The bytes as a snapshot, in chunks of some size. */
export function forge({ host }: Keeper, id: string, bytes: Buffer, chunkBytes = 10_000): SnapshotFacts {
  const dir = join(host.paths.work, 'snapshots', id);
  mkdirSync(dir, { recursive: true });
  const pack = openPack(join(dir, 'pack'), { compress: true, verify: false });
  const index = createIndexWriter(join(dir, 'index.caibx'));
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = bytes.subarray(at, at + chunkBytes);
    const chunkId = hash('sha256', chunk, 'buffer');
    pack.put(chunkId, chunk);
    index.add(chunkId, chunk.length);
  }
  pack.close();
  const [chunks, digest] = [index.count(), index.finish()];
  const facts = { bytes: bytes.length, chunks, readBytes: 0, entries: 0, takenAt: 0 };
  writeFileSync(join(dir, 'facts.json'), JSON.stringify({ ...facts, digest: digest.toString('hex') }));
  return {
    ...{ digest, bytes: BigInt(bytes.length), chunks: BigInt(chunks), readBytes: 0n, entries: 0n },
    ...{ takenAt: new Date(0), position: '' },
  };
}
