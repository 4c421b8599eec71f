import { describe, expect, test } from 'vitest';
import { Give } from '../../shared/gen/aegir/v1/mesh.ts';
import { chunksAsked, decodeAsk, decodeGive, encodeAsk, encodeData, errorOf, MESSAGE_BYTES } from './wire.ts';

describe('data', () => {
  test.each([0, 1, 127, 128, 16_383, 16_384, MESSAGE_BYTES])('of %i bytes is what the generated code reads', (size) => {
    const bytes = Buffer.alloc(size, 7);
    const chunks = [{ compression: 'zstd', size }];
    const message = { ask: 300, last: true, chunks };
    const parts = [bytes.subarray(0, size >> 1), bytes.subarray(size >> 1)];
    const body = { $case: 'data' as const, value: { ...message, bytes } };
    expect(Buffer.from(encodeData({ ...message, parts })).equals(Buffer.from(Give.encode({ body }).finish()))).toBe(
      true,
    );
    expect(decodeGive(encodeData({ ...message, parts }))).toMatchObject({ $case: 'data', value: message });
  });
});

test.each([Buffer.from([0xff, 0xff]), Buffer.alloc(2 * MESSAGE_BYTES), Buffer.from([0x12, 0x05, 0x01])])(
  'what is no message is none',
  (data) => {
    expect(decodeAsk(data)).toBeUndefined();
    expect(decodeGive(data)).toBeUndefined();
  },
);

test('an ask comes back as it was', () => {
  const body = { $case: 'bytes' as const, value: { ask: 1, offset: 2n ** 40n, length: 5 } };
  expect(decodeAsk(encodeAsk(body))).toEqual(body);
});

test.each<[readonly { first: bigint; count: number }[], number | undefined]>([
  [[{ first: 0n, count: 10 }], 10],
  [[{ first: 9n, count: 1 }, { first: 0n, count: 2 }], 3], // biome-ignore format: a table
  [[], undefined],
  [[{ first: 0n, count: 0 }], undefined],
  [[{ first: 0n, count: 11 }], undefined],
  [[{ first: 10n, count: 1 }], undefined],
  [[{ first: 2n ** 64n - 1n, count: 1 }], undefined],
  [Array.from({ length: 257 }, () => ({ first: 0n, count: 1 })), undefined],
])('spans %# of 10 chunks', (spans, count) => {
  expect(chunksAsked({ ask: 1, spans: [...spans] }, 10)).toBe(count);
});

test('what a peer says of its failure is one line of a known code', () => {
  const error = errorOf({ code: 'rm -rf', message: `a\nb\u001b[31m${'x'.repeat(5000)}`, retryable: false });
  expect(error.code).toBe('unknown');
  expect(error.message).toMatch(/^a b \[31mx+$/);
  expect(error.message.length).toBe(2000);
});
