// Opens the backups on a file service: plain, or encrypted when the service is declared so. A store is one or the other as
// a whole, and a key that is not the store's is refused before anything is read or written by it.
import { AegirError } from '../../../shared/error.ts';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { type ActionContext, canStore, type Engine, type ObjectStore } from '../../engine/engine.ts';
import { encryptionKeyOf } from '../../engine/file/settings.ts';
import { FILES, plainForm } from './form.ts';
import { createRepository, type Repository } from './repository.ts';
import { createSealedForm, isSealedFile, KEY_MARK, type SealedForm, sameMark } from './sealed-form.ts';

const MAX_MARK = 1000;

/** The caller closes it. Throws as openStore does, and failed_precondition for a key that is not the store's. */
export async function openRepository(
  engines: readonly Engine[],
  service: ServiceRef,
  ctx: ActionContext,
  use: 'write' | 'read' = 'write',
): Promise<Repository> {
  const engine = engines.find((each) => each.type === service.type && each.name === service.engine);
  if (engine === undefined || !canStore(engine)) {
    throw new AegirError(
      'unimplemented',
      `cannot keep backups on service ${service.id}: this agent has no engine ${service.type}/${service.engine} that keeps any; update the agent`,
      { untouched: true },
    );
  }
  const key = encryptionKeyOf(service);
  const store = await engine.openStore(service, ctx);
  try {
    return await repositoryIn(store, key, use);
  } catch (thrown) {
    await store.close();
    throw thrown;
  }
}

/**
 * key: 32 bytes; undefined for a store that is not encrypted. use: to read alone, without a change to anything. Takes the
 * store over when it resolves.
 */
export async function repositoryIn(
  store: ObjectStore,
  key: Uint8Array | undefined,
  use: 'write' | 'read' = 'write',
): Promise<Repository> {
  const form = key === undefined ? plainForm : createSealedForm(key);
  const [mark, ours] = [await readMark(store), 'mark' in form ? (form as SealedForm).mark : undefined];
  const same = mark === undefined ? ours === undefined : ours !== undefined && sameMark(mark, ours);
  if (!same) await become(store, mark, ours, use);
  return createRepository(store, form);
}

/** While it has no backup, a store may become another one: encrypted, or no more, or by another key. */
async function become(
  store: ObjectStore,
  mark: string | undefined,
  ours: string | undefined,
  use: 'write' | 'read',
): Promise<void> {
  for await (const { name } of store.list(FILES)) {
    if (plainForm.fileOf(name) === undefined && !isSealedFile(name)) continue;
    const why =
      mark === undefined
        ? 'there are backups in it that are not encrypted; delete them, or use another directory'
        : ours === undefined
          ? 'its backups are encrypted; its key is needed'
          : 'its backups are encrypted by another key; give the one that it was made with';
    throw new AegirError('failed_precondition', `cannot open the store: ${why}`);
  }
  if (use === 'read') return;
  if (ours === undefined) await store.remove(KEY_MARK);
  else await store.put(KEY_MARK, [Buffer.from(ours)]);
  await store.flush();
}

async function readMark(store: ObjectStore): Promise<string | undefined> {
  if ((await store.stat(KEY_MARK)) === undefined) return undefined;
  let text = '';
  for await (const piece of store.get(KEY_MARK)) {
    text += Buffer.from(piece).toString();
    if (text.length > MAX_MARK) break;
  }
  return text;
}
