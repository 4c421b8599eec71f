// The files of sites where the kernel follows no link. Apache looks at a link before it opens what it leads to, and whoever
// writes a site's code can swap a file for a link in between; so the root of the sites is mounted once more, read-only and
// with nosymfollow, and Apache serves their files from there. Their PHP, the agent and nginx go on seeing them as they are.
// A unit of systemd mounts it, before Apache starts and at every boot: the agent may not, and shall not be able to.
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { Finding } from '../../../../shared/finding.ts';
import type { WebRules } from '../../../app/app.ts';
import type { Daemon, FileOptions, Host } from '../../../host/host.ts';
import { mountOf, mountsSeenBy, parseMountTable } from '../../../host/mount-table.ts';
import type { Change } from '../../engine.ts';
import { siteOfFile } from '../config/complaint.ts';
import { configPath } from '../config/quote.ts';

const UNIT = 'aegir-linkless.service';
const UNIT_PATH = `/etc/systemd/system/${UNIT}`;
const UNIT_FILE: FileOptions = { mode: 0o644, owner: 'root', group: 'root' };
/** As render.ts writes them. */
const ALIAS = /^ *Alias "\/[^"]+" "(\/[^"]+)\/"$/gm;

/** Empty when something is mounted there, and when systemd has tried in vain what we would ask for: check tells of that. */
export async function planLinkless(host: Host, daemon: Daemon): Promise<readonly Change[]> {
  if (host.kind !== 'systemd' || daemon.mounts === undefined) return [];
  const content = await unitOf(host);
  const written = await host.files.matches(UNIT_PATH, content, UNIT_FILE);
  if (written && (await hasTried(host, daemon))) return [];
  return [
    {
      summary: `mount ${host.paths.sites} once more without links, for Apache (${UNIT_PATH})`,
      async run(ctx) {
        await host.files.write(UNIT_PATH, content, UNIT_FILE);
        for (const args of [['daemon-reload'], ['enable', '--', UNIT]]) {
          const { code, stderr } = await systemctl(host, args);
          if (code !== 0)
            throw new AegirError('unavailable', `cannot have systemd read ${UNIT_PATH}: ${stderr.trim()}`);
        }
        // Sites are served without it, too; but not as well.
        const { code, stderr } = await systemctl(host, ['restart', '--', UNIT]);
        if (code !== 0) ctx.log('warn', `${UNIT} does not start, and Apache follows links: ${stderr.trim()}`);
      },
    },
  ];
}

/** The rules of a site as this Apache shall serve them: its files from there, where it has that. */
export async function withoutLinks(rules: WebRules, host: Host, daemon: Daemon): Promise<WebRules> {
  const from = `${host.paths.sites}/`;
  if (!rules.aliases.some(({ directory }) => directory.startsWith(from)) || !(await isLinkless(host, daemon)))
    return rules;
  const aliases = rules.aliases.map(({ prefix, directory }) => ({
    prefix,
    directory: directory.startsWith(from) ? join(host.paths.linkless, directory.slice(from.length)) : directory,
  }));
  return { ...rules, aliases };
}

/** Of sites whose files Apache follows links in. Nobody is kept apart from anybody on embedded hosts. */
export async function checkLinkless(host: Host, daemon: Daemon): Promise<readonly Finding[]> {
  if (host.kind !== 'systemd' || daemon.mounts === undefined) return [];
  const subject = 'links:apache2';
  const told: Finding[] = [];
  const warn = (text: string) => told.push({ subject, level: 'warning', text: `${text}. ${MEANWHILE}` });
  const there = await isLinkless(host, daemon);
  const { within, elsewhere } = await followed(host, daemon, there);
  if (!there) warn(await whyNot(host));
  else if (within.length > 0) {
    const names = `${within.slice(0, MOST_NAMED).join(', ')}${within.length > MOST_NAMED ? ` and of ${within.length - MOST_NAMED} more` : ''}`;
    warn(`the files of ${names} are not served without links yet: have the server verified, or each of them`);
  }
  if (elsewhere.length > 0) {
    warn(
      `Apache follows links in the files that lie on ${elsewhere.join(', ')}: mount that with the option nosymfollow ` +
        '(in /etc/fstab; Linux 5.10, util-linux 2.38)',
    );
  }
  if (told.length > 0) return told;
  return [{ subject, level: 'ok', text: 'it serves the files of sites where the kernel follows no link' }];
}

const MOST_NAMED = 5;
const MEANWHILE =
  'Meanwhile it follows links to files of the same owner alone, and whoever writes the code of a site here can get round that, ' +
  'and read what Apache may read of other sites';

async function hasTried(host: Host, daemon: Daemon): Promise<boolean> {
  const { stdout } = await systemctl(host, ['show', '--property=ActiveState', '--', UNIT]);
  const state = /^ActiveState=(.*)$/m.exec(stdout)?.[1];
  if (state !== 'active') return state === 'failed';
  // Unmounted by hand, it is active all the same.
  const place = await realPlace(host);
  const seen = [await daemon.mounts?.(), await mountsSeenBy(undefined)];
  return seen.some((mounts) => mountOf(parseMountTable(mounts ?? ''), place)?.path === place);
}

async function whyNot(host: Host): Promise<string> {
  if (isThere(await mountsSeenBy(undefined), await realPlace(host)))
    return `this Apache does not see ${host.paths.linkless}: restart it (systemctl restart apache2)`;
  return (
    `${host.paths.linkless} is not mounted without links: that takes Linux 5.10, util-linux 2.38 and the right to mount; ` +
    `mend what "systemctl status ${UNIT}" says, "systemctl restart ${UNIT}", and verify the server`
  );
}

/** Names of sites, and mounts of other places, where Apache is told to hand out files and links are followed. */
async function followed(host: Host, daemon: Daemon, there: boolean) {
  const table = parseMountTable((await daemon.mounts?.()) ?? '');
  const within: string[] = [];
  const elsewhere = new Set<string>();
  for (const file of await host.files.list(daemon.includeDir)) {
    if (siteOfFile(file) === undefined) continue;
    const text = (await host.files.read(join(daemon.includeDir, file))) ?? '';
    const directories = new Set([...text.matchAll(ALIAS)].map(([, directory = '']) => directory));
    for (const directory of directories) {
      // Of what is elsewhere, that of the whole site, which its code cannot swap for anything.
      const place = await realpath(directory).catch(() => directory);
      const mount = mountOf(table, place);
      if (mount === undefined || !mount.followsLinks) continue;
      // There, it is something that is mounted among the sites.
      const ours = [host.paths.sites, ...(there ? [] : [host.paths.linkless])].some((path) => isBelow(directory, path));
      if (ours) within.push(/^ *ServerName (\S+)$/m.exec(text)?.[1] ?? file);
      else elsewhere.add(mount.path);
    }
  }
  return { within, elsewhere: [...elsewhere] };
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}

async function isLinkless(host: Host, daemon: Daemon): Promise<boolean> {
  const seen = await daemon.mounts?.();
  if (seen === undefined || !isThere(seen, await realPlace(host))) return false;
  const [sites, again] = await Promise.all([statOf(host.paths.sites), statOf(host.paths.linkless)]);
  return sites !== undefined && again !== undefined && sites.dev === again.dev && sites.ino === again.ino;
}

function isThere(mounts: string, place: string): boolean {
  const mount = mountOf(parseMountTable(mounts), place);
  return mount?.path === place && !mount.followsLinks;
}

/** systemd mounts at no path with a link in it. */
async function realPlace({ paths: { linkless } }: Host): Promise<string> {
  const above = dirname(linkless);
  return join(await realpath(above).catch(() => above), basename(linkless));
}

async function unitOf(host: Host): Promise<string> {
  const what = await realpath(host.paths.sites).catch(() => host.paths.sites);
  return renderUnit(what, await realPlace(host));
}

/**
 * Options of a mount are its own, and it is in Apache's namespace before mount(8) has given it any. So it gets them elsewhere
 * first, and what is mounted from there has them everywhere. What is mounted among the sites later on comes along, as it is;
 * a slave gives nothing back.
 */
export function mountCommands(what: string, where: string): readonly (readonly [string, ...string[]])[] {
  const first = `${where}.new`;
  return [
    ['mkdir', '-p', first, where],
    ['mount', '-t', 'none', '-o', 'rbind,ro,nosuid,nodev,noexec,nosymfollow', what, first],
    ['mount', '--make-rslave', first],
    ['mount', '--rbind', first, where],
    ['umount', '--lazy', first],
  ];
}

export function renderUnit(what: string, where: string): string {
  const [from, to] = [what, where].map((path) => configPath(path, 'directory of sites').replaceAll('%', '%%'));
  if (from === undefined || to === undefined || /\s/.test(from + to)) {
    throw new AegirError('invalid_argument', `cannot mount ${what} at ${where}: a path has a space; rename it`);
  }
  const unmount = (path: string) => `-umount --recursive --lazy --quiet ${path}`;
  return `# Written by Aegir: Apache serves the files of its sites from ${to}, where the kernel follows no link.
[Unit]
Description=Files of Aegir's sites without links
RequiresMountsFor=${from} ${to}
Before=apache2.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=${unmount(`${to}.new`)}
ExecStartPre=${unmount(to)}
${mountCommands(from, to)
  .map((argv) => `ExecStart=${argv.join(' ')}\n`)
  .join('')}ExecStop=${unmount(to)}

[Install]
WantedBy=apache2.service
`;
}

function systemctl(host: Host, args: readonly string[]) {
  return host.run({ argv: ['systemctl', '--no-ask-password', ...args] });
}

async function statOf(path: string) {
  return stat(path, { bigint: true }).catch(() => undefined);
}
