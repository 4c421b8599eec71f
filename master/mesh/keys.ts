// The mesh's own keys: operator, system account, Aegir's account (nkeys, NATS decentralised JWT). Seeds stay in one 0600 file.
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import { createAccount, createOperator, fromSeed, type KeyPair } from '../../shared/nkeys.ts';

export interface MeshKeys {
  readonly operator: KeyPair;
  readonly system: KeyPair;
  readonly account: KeyPair;
}

const NAMES = ['operator', 'system', 'account'] as const;
/** First letters of nkeys: operator, account, account. */
const KINDS = ['O', 'A', 'A'];

/** Reads the keys, or makes them at the first start; written durably before they are used. */
export function openMeshKeys(path: string): MeshKeys {
  const text = readIfThere(path);
  if (text === undefined) return create(path);
  try {
    const seeds = JSON.parse(text) as Record<string, string>;
    const [operator, system, account] = NAMES.map((name) => fromSeed(Buffer.from(seeds[name] ?? '')));
    if (operator === undefined || system === undefined || account === undefined) throw new Error('a key is missing');
    if (![operator, system, account].every((key, i) => key.getPublicKey().startsWith(KINDS[i] ?? '')))
      throw new Error('a key is of another kind than its name says');
    return { operator, system, account };
  } catch (cause) {
    throw new AegirError(
      'data_loss',
      `cannot read the mesh's keys from ${path}: they are damaged; restore the file from a backup`,
      { cause },
    );
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function create(path: string): MeshKeys {
  const keys: MeshKeys = { operator: createOperator(), system: createAccount(), account: createAccount() };
  const seeds = Object.fromEntries(NAMES.map((name) => [name, Buffer.from(keys[name].getSeed()).toString()]));
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.tmp`;
  const file = openSync(fresh, 'w', 0o600);
  writeFileSync(file, JSON.stringify(seeds));
  fsyncSync(file);
  closeSync(file);
  renameSync(fresh, path);
  return keys;
}
