// The first admin token: made once, its value in a file that only the master's user can read.
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import type { Store } from './store/store.ts';

export interface BootstrapDeps {
  readonly store: Store;
  readonly tokenFile: string;
  newToken(): { readonly value: string; readonly hash: string };
  newTokenId(): string;
  now(): number;
}

const DONE = 'bootstrap.admin';

/** The file first: a crash before the store knows the token makes both anew at the next start. */
export async function makeFirstToken(deps: BootstrapDeps): Promise<void> {
  if ((await deps.store.settings.get(DONE)) !== undefined) return;
  const { value, hash } = deps.newToken();
  writeWhole(deps.tokenFile, `${value}\n`, 0o600);
  const id = deps.newTokenId();
  await deps.store.transaction(async (tx) => {
    await tx.tokens.insert({
      id,
      kind: 'api',
      hash,
      description: 'first administrator',
      role: 'admin',
      usesLeft: 0,
      expiresAt: null,
      createdAt: deps.now(),
      revokedAt: null,
      autoAccept: false,
      autoEnable: [],
    });
    await tx.settings.insert({ id: DONE, value: id });
  });
}

export function writeWhole(path: string, content: string, mode: number): void {
  const file = openSync(`${path}.tmp`, 'w', mode);
  writeFileSync(file, content);
  fsyncSync(file);
  closeSync(file);
  renameSync(`${path}.tmp`, path);
}
