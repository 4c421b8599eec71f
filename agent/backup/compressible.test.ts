// What is tried to be compressed, and what is not.
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { isCompressible } from './compressible.ts';

const text = Buffer.from(
  Array.from({ length: 60_000 }, (_, i) => `INSERT INTO posts VALUES (${i}, 'text ${i * 7}');\n`).join(''),
);

const cases: Readonly<Record<string, readonly [Buffer, boolean]>> = {
  noise: [randomBytes(500_000), false],
  'what gzip made': [gzipSync(randomBytes(600_000).toString('base64')), false],
  text: [text, true],
  zeros: [Buffer.alloc(500_000), true],
  base64: [Buffer.from(randomBytes(400_000).toString('base64')), true],
  'text with some noise': [Buffer.concat([text.subarray(0, 300_000), randomBytes(150_000)]), true],
  little: [randomBytes(1000), true],
};

test.each(Object.keys(cases))('%s', (name) => {
  const [bytes = Buffer.alloc(0), worth] = cases[name] ?? [];
  expect(isCompressible(bytes)).toBe(worth);
});
