import { expect, test } from 'vitest';
import { ActionOutput } from '../../shared/gen/aegir/v1/agent.ts';
import { boundFacts } from './bound-facts.ts';

const MOST = BigInt(Number.MAX_SAFE_INTEGER);
const digest = new Uint8Array(32).fill(7);

test('what an honest agent tells comes through whole', () => {
  const told = {
    snapshot: {
      digest,
      bytes: 5n,
      chunks: 1n,
      readBytes: 5n,
      entries: 2n,
      takenAt: new Date(1),
      position: 'binlog.1:4',
    },
    restore: { complete: true, receivedBytes: 1n, written: 2n, entries: 3n, writtenBytes: 4n },
    prune: { backups: 1n, chunks: 2n, bytes: 3n, keptBackups: 4n, keptChunks: 5n },
    check: { chunks: 1n, bytes: 2n, damaged: 0n, problems: [], absent: false },
    absent: { backupIds: ['bak-0123456789abcde1'] },
    traffic: { lastAt: new Date(5) },
    replica: { position: 'x', running: true, caughtUp: false, error: '' },
    backup: {
      ...{ complete: true, digest, bytes: 9n, chunks: 2n, newBytes: 9n, storedBytes: 4n, receivedBytes: 9n },
      parts: [{ part: 'files', digest, firstChunk: 0n, chunks: 2n, bytes: 9n }],
    },
    gate: {
      ...{ phase: 'hold', waiting: 1n, held: 2n, longestMillis: 3n, forwarded: 4n, refused: 5n, failed: 6n },
      ...{ lastAt: new Date(2), holdingSince: new Date(1) },
    },
  };
  expect(boundFacts(ActionOutput.fromPartial(told))).toEqual(told);
  expect(boundFacts(ActionOutput.fromPartial({}))).toEqual({});
});

test('what a hostile one tells is cut to size', () => {
  const huge = 2n ** 64n - 1n;
  const long = 'x'.repeat(100_000);
  const facts = boundFacts(
    ActionOutput.fromPartial({
      snapshot: { digest: new Uint8Array(31), bytes: huge, position: long },
      backup: { digest, parts: Array.from({ length: 1000 }, () => ({ part: long, digest })) },
      check: { problems: Array.from({ length: 1000 }, () => long) },
      absent: { backupIds: [long, 'bak-0123456789abcde1', 'bak-'] },
      gate: { phase: long, held: huge },
      replica: { error: long, position: long },
    }),
  );
  expect(facts.snapshot).toMatchObject({ digest: new Uint8Array(0), bytes: MOST });
  expect(facts.backup?.parts).toEqual([]);
  expect(facts.check?.problems).toHaveLength(20);
  expect(facts.absent?.backupIds).toEqual(['bak-0123456789abcde1']);
  expect(facts.gate).toMatchObject({ phase: 'expired', held: MOST });
  expect(JSON.stringify([facts.snapshot?.position, facts.check?.problems, facts.replica]).length).toBeLessThan(25_000);
});
