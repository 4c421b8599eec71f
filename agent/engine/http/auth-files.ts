// Who may see a site, as a file on disk, for any http engine: named by its content, so that a configuration and the users
// it means come and go together.
import { join } from 'node:path';
import { sha256Hex } from '../../../shared/digest.ts';
import type { HttpAuthSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { Daemon, FileOptions, Host } from '../../host/host.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import type { Change } from '../engine.ts';

/** Workers of the web server read it with every request; the site's user may not. */
const fileOf = ({ user }: Daemon): FileOptions => ({ mode: 0o640, owner: 'root', group: user });
const directoryOf = ({ user }: Daemon): FileOptions => ({ mode: 0o750, owner: 'root', group: user });

function contentOf(auth: HttpAuthSpec): string {
  return auth.users.map(({ name, passwordHash }) => `${name}:${passwordHash}\n`).join('');
}

export function authPath(layout: SiteLayout, auth: HttpAuthSpec): string {
  return join(layout.auth, `${sha256Hex(contentOf(auth)).slice(0, 32)}.passwd`);
}

/** What must be there before a configuration may name it. */
export async function planAuthFile(
  host: Host,
  daemon: Daemon,
  layout: SiteLayout,
  auth: HttpAuthSpec | undefined,
  name: string,
): Promise<readonly Change[]> {
  if (auth === undefined) return [];
  const path = authPath(layout, auth);
  const content = contentOf(auth);
  const there =
    (await host.files.directoryMatches(layout.auth, directoryOf(daemon))) &&
    (await host.files.matches(path, content, fileOf(daemon)));
  if (there) return [];
  return [
    {
      summary: `write who may see ${name} to ${layout.auth}: ${auth.users.map((user) => user.name).join(', ')}`,
      async run() {
        await host.files.directory(layout.auth, directoryOf(daemon));
        await host.files.write(path, content, fileOf(daemon));
      },
    },
  ];
}

/** What no configuration names once the one of this spec is loaded. */
export async function planAuthTidying(
  host: Host,
  layout: SiteLayout,
  auth: HttpAuthSpec | undefined,
  name: string,
): Promise<readonly Change[]> {
  const there = await host.files.list(layout.auth);
  if (auth === undefined) {
    if (there.length === 0 && !(await host.files.exists(layout.auth))) return [];
    return [{ summary: `remove the passwords of ${name}`, run: () => host.files.remove(layout.auth) }];
  }
  const kept = authPath(layout, auth);
  const old = there.map((file) => join(layout.auth, file)).filter((path) => path !== kept);
  if (old.length === 0) return [];
  return [
    {
      summary: `remove former passwords of ${name}`,
      async run() {
        for (const path of old) await host.files.remove(path);
      },
    },
  ];
}
