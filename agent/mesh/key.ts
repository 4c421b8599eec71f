// The agent's own key on the mesh (user nkey). Its seed stays in the agent's state directory, 0600.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { AegirError } from '../../shared/error.ts';
import { createUser, fromSeed, type KeyPair } from '../../shared/nkeys.ts';

export function openMeshKey(path: string): KeyPair {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return create(path);
  }
  try {
    return fromSeed(Buffer.from(text.trim()));
  } catch (cause) {
    throw new AegirError(
      'data_loss',
      `cannot read the mesh key from ${path}: it is damaged; remove the file and restart the agent`,
      { cause },
    );
  }
}

function create(path: string): KeyPair {
  const key = createUser();
  const file = openSync(`${path}.tmp`, 'w', 0o600);
  writeFileSync(file, key.getSeed());
  fsyncSync(file);
  closeSync(file);
  renameSync(`${path}.tmp`, path);
  return key;
}
