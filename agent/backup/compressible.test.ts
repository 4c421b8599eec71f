// What is tried to be compressed, and what is not.
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { worthOf } from './compressible.ts';
import { encodeHeader } from './tar-header.ts';

const text = Buffer.from(
  Array.from({ length: 60_000 }, (_, i) => `INSERT INTO posts VALUES (${i}, 'text ${i * 7}');\n`).join(''),
);

/** As it stands between the pictures of an archive. */
const header = encodeHeader({
  ...{ path: 'files/photo.jpg', kind: 'file', mode: 0o640, size: 30_208, mtimeNs: 1_764_000_000_123_456_789n },
  ...{ owner: { user: 'site', group: 'web' }, target: '' },
});

const cases: Readonly<Record<string, readonly [Buffer, ReturnType<typeof worthOf>]>> = {
  noise: [randomBytes(500_000), 'nothing'],
  'what gzip made': [gzipSync(randomBytes(600_000).toString('base64')), 'nothing'],
  text: [text, 'much'],
  zeros: [Buffer.alloc(500_000), 'much'],
  base64: [Buffer.from(randomBytes(400_000).toString('base64')), 'much'],
  'text with some noise': [Buffer.concat([text.subarray(0, 300_000), randomBytes(150_000)]), 'much'],
  'pictures of an archive': [
    Buffer.concat(Array.from({ length: 16 }, () => [header, randomBytes(30_208)]).flat()),
    'little',
  ],
  'a few bytes': [randomBytes(1000), 'much'],
};

test.each(Object.keys(cases))('%s', (name) => {
  const [bytes = Buffer.alloc(0), worth] = cases[name] ?? [];
  expect(worthOf(bytes)).toBe(worth);
});
