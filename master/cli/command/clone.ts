// aegir site clone.
import type { Command } from 'commander';
import { MoveServiceService as api } from '../../../shared/gen/aegir/v1/move_admin.ts';
import { type ChangeFlags, changeOptions, followChange, withChangeFlags } from '../change.ts';
import type { Cli } from '../session.ts';

interface CloneFlags extends ChangeFlags {
  readonly platform?: string;
  readonly db?: string;
  readonly dns?: string;
  readonly client?: string;
}

export function cloneCommand(cli: Cli, noun: Command): void {
  withChangeFlags(
    noun.command('clone <site> <newname>').description('copy a site, which goes on serving, to another name'),
  )
    .option('--platform <platform>', 'platform of the copy, also on another server; left out, that of the site')
    .option('--db <service>', 'db service; left out, that of the site, or the one of its kind on the other server')
    .option('--dns <service>', 'dns service; left out, the one whose zone holds the name, or that of the site')
    .option('--client <client>', 'client that owns the copy; left out, that of the site')
    .action(async (site: string, newName: string, _, command: Command) => {
      const flags = command.optsWithGlobals<CloneFlags>();
      const { platform = '', db = '', dns = '', client = '' } = flags;
      await followChange(cli, flags, (link) =>
        link.call(api.cloneSite, { site, newName, platform, db, dns, client, options: changeOptions(flags) }),
      );
    });
}
