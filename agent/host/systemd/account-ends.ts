// When accounts that we close were to expire by the will of others: the system's databases have room for one day alone, which
// is ours while an account is closed.
import { join } from 'node:path';
import type { Files } from '../host.ts';

export interface AccountEnds {
  /** Days since 1970; undefined for none. */
  read(name: string): Promise<number | undefined>;
  /** Durable when it resolves. undefined forgets it. */
  keep(name: string, day: number | undefined): Promise<void>;
}

/** state: the agent's state directory. Names are those of our users: no path has another part. */
export function createAccountEnds(files: Files, state: string): AccountEnds {
  const at = (name: string) => join(state, `expires-${name}`);
  return {
    async read(name) {
      const text = (await files.read(at(name)))?.trim() ?? '';
      return /^[1-9][0-9]{0,6}$/.test(text) ? Number(text) : undefined;
    },
    async keep(name, day) {
      if (day === undefined) await files.remove(at(name));
      else await files.write(at(name), `${day}\n`, { mode: 0o600 });
    },
  };
}
