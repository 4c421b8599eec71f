// What lies beside the index of a backup: what it is, in words that programs and people read without a master. Pure.
import { AegirError } from '../../../shared/error.ts';
import type { BackupFacts } from '../../../shared/gen/aegir/v1/backup.ts';

export interface Summary {
  readonly id: string;
  readonly takenAt: Date;
  readonly facts: BackupFacts;
  /** manifest.json. */
  readonly manifest: string;
}

export function summaryText({ id, takenAt, facts, manifest }: Summary): string {
  const parts = facts.parts.map(({ part, digest, firstChunk, chunks, bytes }) => ({
    ...{ part, digest: hex(digest), firstChunk: Number(firstChunk), chunks: Number(chunks), bytes: Number(bytes) },
  }));
  const text = {
    ...{ version: 1, id, takenAt: takenAt.toISOString(), digest: hex(facts.digest) },
    ...{ bytes: Number(facts.bytes), chunks: Number(facts.chunks), newBytes: Number(facts.newBytes) },
    ...{ storedBytes: Number(facts.storedBytes), receivedBytes: Number(facts.receivedBytes), parts, manifest },
  };
  return `${JSON.stringify(text, null, 2)}\n`;
}

/** Throws data_loss for what is none. */
export function parseSummary(text: string, backupId: string): Summary {
  const damaged = () => new AegirError('data_loss', `cannot read the summary of ${backupId}: it is damaged`);
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    throw damaged();
  }
  const field = (of: unknown, key: string): unknown => (of as Record<string, unknown> | null)?.[key];
  const number = (of: unknown, key: string): bigint => {
    const value = field(of, key);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw damaged();
    return BigInt(value);
  };
  const words = (of: unknown, key: string): string => {
    const value = field(of, key);
    if (typeof value !== 'string') throw damaged();
    return value;
  };
  const digest = (of: unknown): Buffer => {
    const value = words(of, 'digest');
    if (!/^[0-9a-f]{64}$/.test(value)) throw damaged();
    return Buffer.from(value, 'hex');
  };
  const takenAt = new Date(words(read, 'takenAt'));
  const parts = field(read, 'parts');
  if (words(read, 'id') !== backupId || Number.isNaN(takenAt.getTime()) || !Array.isArray(parts)) throw damaged();
  return {
    ...{ id: backupId, takenAt, manifest: words(read, 'manifest') },
    facts: {
      ...{ complete: true, digest: digest(read), bytes: number(read, 'bytes'), chunks: number(read, 'chunks') },
      ...{ newBytes: number(read, 'newBytes'), storedBytes: number(read, 'storedBytes') },
      receivedBytes: number(read, 'receivedBytes'),
      parts: parts.map((part: unknown) => ({
        ...{ part: words(part, 'part'), digest: digest(part), firstChunk: number(part, 'firstChunk') },
        ...{ chunks: number(part, 'chunks'), bytes: number(part, 'bytes') },
      })),
    },
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
