// Users of an embedded server: names only, kept in a file; all of them are the run user.
import { AegirError } from '../../../shared/error.ts';
import type { Files, SystemUser, Users } from '../host.ts';
import { createSerial } from '../serial.ts';
import type { RunUser } from './run-user.ts';

export function createEmbeddedUsers(path: string, files: Files, runUser: RunUser): Users {
  const serial = createSerial();
  const as = (name: string): SystemUser => ({ name, uid: runUser.uid, gid: runUser.gid });

  const load = async (): Promise<Record<string, string>> => {
    const text = await files.read(path);
    if (text === undefined) return {};
    const value = parse(text);
    if (value !== undefined) return value;
    throw new AegirError('data_loss', `cannot read users of this server: ${path} holds something else; remove it`);
  };
  const save = (book: Record<string, string>): Promise<void> =>
    files.write(path, `${JSON.stringify(book, undefined, 2)}\n`, { mode: 0o644 });

  return {
    async lookup(name) {
      if (name === runUser.name) return as(name);
      return Object.hasOwn(await load(), name) ? as(name) : undefined;
    },
    ensure: (name, home) =>
      serial(async () => {
        const book = await load();
        if (book[name] !== home) await save({ ...book, [name]: home });
        return as(name);
      }),
    remove: (name) =>
      serial(async () => {
        const { [name]: home, ...rest } = await load();
        if (home !== undefined) await save(rest);
      }),
  };
}

function parse(text: string): Record<string, string> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const good = typeof value === 'object' && value !== null && !Array.isArray(value);
    return good ? (value as Record<string, string>) : undefined;
  } catch {
    return undefined;
  }
}
