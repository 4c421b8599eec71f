// A site's place on its web server: system user, directories and logs, as site-layout.ts declares them. Plans only;
// empty when all is as declared, so that a changed mode or owner is found as drift.
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import type { Change } from '../engine/engine.ts';
import type { FileOptions, Host } from '../host/host.ts';
import type { SiteLayout } from '../host/site-layout.ts';

interface DeclaredDirectory {
  readonly path: string;
  readonly options: FileOptions;
}

/** System user, directories, logs. Parents come before what is in them. uid: its number; 0 lets the host choose. */
export async function planAccount(layout: SiteLayout, host: Host, uid = 0): Promise<readonly Change[]> {
  const { user } = layout;
  const webGroup = await webServerGroup(host);
  const changes: Change[] = [];
  const there = await host.users.lookup(user);
  const known = there !== undefined;
  if (known && uid !== 0 && host.kind === 'systemd' && there.uid !== uid) {
    throw new AegirError(
      'failed_precondition',
      `cannot prepare the site: its system user ${user} has the number ${there.uid} here and ${uid} on the servers that share ` +
        'its files; give it that one with usermod and groupmod while the site is not served here',
    );
  }
  if (!known) {
    changes.push({
      summary:
        host.kind === 'embedded'
          ? `note ${user} as its user, who is the same for all sites of this server`
          : `make system user ${user}${uid === 0 ? '' : ` (${uid})`}`,
      run: async () => void (await host.users.ensure(user, layout.root, uid)),
    });
  }
  for (const { path, options } of declaredDirectories(layout, webGroup)) {
    // Without the user no owner can be as declared, and none can be looked up.
    if (known && (await host.files.directoryMatches(path, options))) continue;
    const exists = await host.files.exists(path);
    changes.push({
      summary: `${exists ? 'mend mode and owner of' : 'make'} directory ${path} (${describe(options, host)})`,
      run: () => host.files.directory(path, options),
    });
  }
  // The pool writes its log as the site's user, in a directory that only root may change: a log that the site could
  // replace by a link would be opened by root.
  const phpLog = join(layout.logs, 'php.log');
  if (!(await host.files.exists(phpLog))) {
    changes.push({
      summary: `make ${phpLog}`,
      run: () => host.files.write(phpLog, '', { mode: 0o640, owner: user, group: user }),
    });
  }
  return changes;
}

function declaredDirectories(layout: SiteLayout, webGroup: string): readonly DeclaredDirectory[] {
  const { user } = layout;
  const root = { owner: 'root', group: 'root' };
  const own = { mode: 0o700, owner: user, group: user };
  return [
    { path: layout.root, options: { mode: 0o711, ...root } },
    { path: layout.docroot, options: { mode: 0o755, ...root } },
    { path: layout.config, options: { mode: 0o750, owner: 'root', group: user } },
    ...(layout.shared === '' ? [] : [{ path: layout.shared, options: { mode: 0o711, ...root } }]),
    { path: layout.files, options: { mode: 0o2750, owner: user, group: webGroup } },
    { path: layout.private, options: own },
    // PHP moves an upload from here into files, and it keeps the group that it was made with.
    { path: layout.tmp, options: { mode: 0o2700, owner: user, group: webGroup } },
    { path: layout.sessions, options: own },
    { path: layout.logs, options: { mode: 0o750, owner: 'root', group: user } },
  ];
}

/** Takes away what planAccount made, keepShared but what other web servers share. The app's traces and the pool are gone before. */
export async function planAccountRemoval(
  layout: SiteLayout,
  host: Host,
  keepShared = false,
): Promise<readonly Change[]> {
  const changes: Change[] = [];
  if (layout.shared !== '' && !keepShared && (await host.files.exists(layout.shared))) {
    changes.push({
      summary: `remove directory ${layout.shared} with the files that the site's web servers shared`,
      run: () => host.files.remove(layout.shared),
    });
  }
  const tree = await host.files.exists(layout.root);
  if (tree) {
    changes.push({
      summary: `remove directory ${layout.root} with all of the site's files`,
      // Before the user goes: a crash between the two would leave files that nobody owns.
      run: () => host.files.remove(layout.root),
    });
  }
  if ((await host.users.lookup(layout.user)) !== undefined) {
    changes.push({
      summary:
        host.kind === 'embedded'
          ? `forget ${layout.user}, its user`
          : `end the processes of system user ${layout.user} and remove it`,
      run: async () => {
        await host.users.remove(layout.user);
        // A process that still wrote while the tree went may have left something.
        await host.files.remove(layout.root);
      },
    });
  }
  if (await host.files.exists(layout.logs)) {
    changes.push({ summary: `remove logs ${layout.logs}`, run: () => host.files.remove(layout.logs) });
  }
  return changes;
}

async function webServerGroup(host: Host): Promise<string> {
  // Where there are more than one they run as the same user: Debian gives them all www-data.
  for (const name of ['nginx', 'apache2'] as const) {
    const daemon = await host.daemon(name);
    if (daemon !== undefined) return daemon.user;
  }
  throw new AegirError(
    'failed_precondition',
    'cannot prepare the site: this server has no web server that the agent drives; install nginx or apache2',
  );
}

/** Owners of an embedded host are names for one user. */
function describe(options: FileOptions, { kind }: Host): string {
  const mode = options.mode.toString(8).padStart(4, '0');
  return kind === 'embedded' ? mode : `${mode} ${options.owner ?? 'agent'}:${options.group ?? 'agent'}`;
}
