// aegir backup …

import { Command } from 'commander';
import { timeSpan } from '../../../shared/for-people.ts';
import { BackupServiceService as api, Backup } from '../../../shared/gen/aegir/v1/backup_admin.ts';
import { displayName } from '../../../shared/name.ts';
import { type ChangeFlags, changeOptions, followChange, withChangeFlags } from '../change.ts';
import { listAll } from '../list.ts';
import { bytes, type Column, printData, printList, printOne, when } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';
import { exportCommand } from './backup-export.ts';
import { policyCommand } from './backup-policy.ts';

const COLUMNS: readonly Column<Backup>[] = [
  { title: 'backup', value: ({ id }) => id },
  { title: 'site', value: ({ siteName }) => displayName(siteName) },
  { title: 'taken', value: ({ takenAt }) => when(takenAt) },
  { title: 'state', value: ({ state, keep }) => (keep ? `${state}, kept` : state) },
  { title: 'size', value: (backup) => bytes(backup.bytes) },
  { title: 'new', value: ({ storedBytes }) => bytes(storedBytes) },
  { title: 'on', value: ({ service }) => service },
  { title: 'why', value: ({ reason }) => reason },
  { title: 'last proven restorable', value: ({ provenAt }) => (provenAt === undefined ? 'never' : when(provenAt)) },
  { title: 'problem', value: ({ problem }) => problem || '-' },
];

const DETAILS: readonly Column<Backup>[] = [
  { title: 'Backup', value: ({ id }) => id },
  { title: 'Site', value: ({ siteName, siteId }) => `${displayName(siteName)} (${siteId})` },
  { title: 'App', value: ({ app }) => app },
  { title: 'Taken', value: ({ takenAt }) => when(takenAt) },
  { title: 'State', value: ({ state }) => state },
  { title: 'Why', value: ({ reason }) => reason },
  { title: 'Note', value: ({ note }) => note },
  { title: 'Kept', value: ({ keep }) => (keep ? 'whatever the policy says' : '') },
  { title: 'On', value: ({ service }) => service },
  { title: 'Index', value: ({ index }) => index },
  { title: 'Digest', value: ({ digest }) => digest },
  { title: 'Parts', value: ({ parts }) => parts.join(', ') },
  { title: 'Size', value: (backup) => `${bytes(backup.bytes)} in ${backup.chunks} chunks` },
  {
    title: 'New to the store',
    value: ({ newBytes, storedBytes }) => `${bytes(newBytes)}, which take ${bytes(storedBytes)}`,
  },
  { title: 'Found whole', value: ({ verifiedAt }) => (verifiedAt === undefined ? 'not looked yet' : when(verifiedAt)) },
  {
    title: 'Last proven restorable',
    value: ({ provenAt, provenMillis }) =>
      provenAt === undefined ? 'never; see: aegir backup drill' : `${when(provenAt)}, in ${timeSpan(provenMillis)}`,
  },
  { title: 'Problem', value: ({ problem }) => problem },
];

interface CreateFlags extends ChangeFlags {
  readonly service?: string;
  readonly note?: string;
  readonly keep?: boolean;
}

interface RestoreFlags extends ChangeFlags {
  readonly as?: string;
  readonly platform?: string;
  readonly db?: string;
}

export function backupCommand(cli: Cli, program: Command): void {
  const noun = program.command('backup').description('backups of sites');

  noun
    .command('list [site]')
    .description('list backups, newest first')
    .option('--service <service>', 'only on this file service')
    .action(async (site: string | undefined, _, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & { service?: string }>();
      await cli.connected(flags, async (link, out) => {
        const asked = { site: site ?? '', service: flags.service ?? '' };
        const backups = await listAll(
          (page) => link.call(api.listBackups, { ...page, ...asked }),
          (answer) => answer.backups,
        );
        printList(out, backups, Backup.toJSON, COLUMNS, 'No backups yet. Make one with: aegir backup create SITE');
      });
    });

  noun
    .command('show <backup>')
    .description('show one backup')
    .action(async (backup: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) =>
        printOne(out, await link.call(api.getBackup, { backup }), Backup.toJSON, DETAILS),
      );
    });

  noun.addCommand(createCommand(cli, 'create'));

  withChangeFlags(noun.command('restore <backup>'))
    .description('make a site what a backup holds; what it is now is kept first, and comes back when anything fails')
    .option('--as <name>', 'as a new site of this name instead')
    .option('--platform <platform>', "platform of the new site; left out, the site's")
    .option('--db <service>', "db service of the new site; left out, the site's")
    .option('--yes', 'do not ask')
    .action(async (backup: string, _, command: Command) => {
      const flags = command.optsWithGlobals<RestoreFlags>();
      await followChange(cli, flags, async (link) => {
        const { siteName, takenAt } = await link.call(api.getBackup, { backup });
        if (flags.plan !== true && flags.as === undefined) {
          const question = `Make ${displayName(siteName)} what it was at ${when(takenAt)}?`;
          await cli.confirm(question, flags.yes === true);
        }
        return link.call(api.restoreBackup, {
          ...{ backup, confirm: true, newName: flags.as ?? '', platform: flags.platform ?? '', db: flags.db ?? '' },
          options: changeOptions(flags),
        });
      });
    });

  withChangeFlags(noun.command('verify <backup>'))
    .description('look whether a backup is whole in its store')
    .option('--quick', 'only whether everything is there, without reading it')
    .action(async (backup: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags & { quick?: boolean }>();
      await followChange(cli, flags, (link) =>
        link.call(api.verifyBackup, { backup, quick: flags.quick === true, options: changeOptions(flags) }),
      );
    });

  withChangeFlags(noun.command('drill [backup]'))
    .description('prove that a backup can be restored: as a scratch site, which is looked at and removed')
    .option('--site <site>', 'the newest of this site')
    .option('--server <server>', "try it on this server; left out, on the site's own services")
    .action(async (backup: string | undefined, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags & { site?: string; server?: string }>();
      const asked = { backup: backup ?? '', site: flags.site ?? '', server: flags.server ?? '' };
      await followChange(cli, flags, (link) => link.call(api.drillBackup, { ...asked, options: changeOptions(flags) }));
    });

  withChangeFlags(noun.command('delete <backup...>'))
    .description('remove backups, and what only they have in their store')
    .option('--yes', 'do not ask')
    .action(async (backups: string[], _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags>();
      await followChange(cli, flags, async (link) => {
        if (flags.plan !== true) {
          const first = await link.call(api.getBackup, { backup: backups[0] ?? '' });
          const what =
            backups.length === 1
              ? `the backup of ${displayName(first.siteName)} of ${when(first.takenAt)}`
              : `${backups.length} backups`;
          await cli.confirm(`Delete ${what}?`, flags.yes === true);
        }
        return link.call(api.deleteBackup, { backups, confirm: true, options: changeOptions(flags) });
      });
    });

  withChangeFlags(noun.command('prune <service>'))
    .description('remove from a file service what no policy keeps')
    .option('--yes', 'do not ask')
    .action(async (service: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags>();
      await followChange(cli, { ...flags, verbose: true }, async (link) => {
        if (flags.plan !== true)
          await cli.confirm(`Remove from ${service} what no policy keeps (--plan shows it)?`, flags.yes === true);
        return link.call(api.pruneStore, { service, options: changeOptions(flags) });
      });
    });

  exportCommand(cli, noun);
  policyCommand(cli, noun);

  noun
    .command('key <service>')
    .description("print the key that a file service's backups are encrypted with (administrators); keep it elsewhere")
    .action(async (service: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) => {
        const { key } = await link.call(api.exportStoreKey, { service });
        if (out.format === 'table') out.stdout.write(`${key}\n`);
        else printData(out, { key });
      });
    });
}

/** As "backup create" and as "site backup". */
export function createCommand(cli: Cli, name: string): Command {
  return withChangeFlags(new Command(name).argument('<site>'))
    .description('back a site up now')
    .option('--service <service>', "file service; left out, the policy's, or the only one")
    .option('--note <text>', 'a word on it')
    .option('--keep', 'whatever the policy says')
    .action(async (site: string, _, command: Command) => {
      const flags = command.optsWithGlobals<CreateFlags>();
      const asked = { site, service: flags.service ?? '', note: flags.note ?? '', keep: flags.keep === true };
      await followChange(cli, flags, (link) =>
        link.call(api.createBackup, { ...asked, options: changeOptions(flags) }),
      );
    });
}
