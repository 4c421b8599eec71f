// Sealed secrets open only whole, under their own id, with the same key.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createSealer, openSealer } from './seal.ts';
import { newToken, tokenHash, tokenKind, tokenOf } from './tokens.ts';

const sealer = createSealer(randomBytes(32));

test.each(['', 'pässword', 'x'.repeat(10_000)])('opens what it sealed', (text) => {
  const sealed = sealer.seal('sec-1', text);
  expect(sealed.startsWith('v1:')).toBe(true);
  expect(sealer.unseal('sec-1', sealed)).toBe(text);
  expect(sealer.seal('sec-1', text)).not.toBe(sealed);
});

test('refuses every changed byte, another id, another key and other forms', () => {
  const sealed = sealer.seal('sec-1', 'hunter2');
  const bytes = Buffer.from(sealed.slice(3), 'base64');
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => sealer.unseal('sec-1', `v1:${changed.toString('base64')}`)).toThrow(/cannot open secret sec-1/);
  }
  for (const other of [
    () => sealer.unseal('sec-2', sealed),
    () => createSealer(randomBytes(32)).unseal('sec-1', sealed),
    () => sealer.unseal('sec-1', sealed.slice(3)),
    () => sealer.unseal('sec-1', sealed.replace('v1:', 'v2:')),
    () => sealer.unseal('sec-1', sealed.slice(0, 20)),
    () => sealer.unseal('sec-1', ''),
  ]) {
    expect(other).toThrow(/cannot open secret/);
  }
  const error = (() => {
    try {
      sealer.unseal('sec-2', sealed);
    } catch (thrown) {
      return String(thrown);
    }
  })();
  expect(error).not.toContain('hunter2');
});

test('the key file is made once, private, and refused when it is another', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'aegir-seal-'));
  const sealed = (await openSealer(dir)).seal('sec-1', 'text');
  expect((await stat(join(dir, 'seal.key'))).mode & 0o777).toBe(0o600);
  expect((await openSealer(dir)).unseal('sec-1', sealed)).toBe('text');
  await writeFile(join(dir, 'seal.key'), 'short');
  await expect(openSealer(dir)).rejects.toMatchObject({ code: 'data_loss' });
  await rm(dir, { recursive: true });
});

test('tokens say what they are for, hold 256 random bits and are known by their hash', () => {
  const token = newToken('join');
  expect(token.value).toMatch(/^aegir-join-[A-Za-z0-9_-]{43}$/);
  expect(token.hash).toBe(tokenHash(token.value));
  expect(token.hash).toMatch(/^[0-9a-f]{64}$/);
  expect(newToken('join').value).not.toBe(token.value);
  expect(tokenOf('api', new Uint8Array(32)).value).toBe(`aegir-api-${'A'.repeat(43)}`);
  expect(tokenKind(token.value)).toBe('join');
  expect(tokenKind(newToken('api').value)).toBe('api');
  for (const other of ['', 'aegir-join-', `${token.value}x`, `x${token.value}`, `aegir-root-${'A'.repeat(43)}`]) {
    expect(tokenKind(other)).toBeUndefined();
  }
});
