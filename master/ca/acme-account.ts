// The master's account at a certificate authority: its URL as a setting, its key sealed as a secret.
import { sha256Hex } from '../../shared/digest.ts';
import type { Store } from '../store/store.ts';
import type { AccountStore } from './acme.ts';
import type { Sealer } from './seal.ts';

/** One for each authority. */
export function acmeAccount(store: Store, sealer: Sealer, directory: string): AccountStore {
  const id = `acme.account.${sha256Hex(directory).slice(0, 16)}`;
  const secretId = `sec-${id}`;
  return {
    async load() {
      const setting = await store.settings.get(id);
      const secret = await store.secrets.get(secretId);
      if (setting === undefined || secret === undefined) return undefined;
      return { keyPem: sealer.unseal(secretId, secret.sealed), url: setting.value };
    },
    async save({ keyPem, url }) {
      await store.transaction(async (tx) => {
        await tx.secrets.delete(secretId);
        await tx.settings.delete(id);
        await tx.secrets.insert({ id: secretId, sealed: sealer.seal(secretId, keyPem) });
        await tx.settings.insert({ id, value: url });
      });
    },
  };
}
