// aegir platform …
import type { Command } from 'commander';
import { PlatformServiceService as api, Platform } from '../../../shared/gen/aegir/v1/admin.ts';
import {
  type AtOnceFlags,
  type ChangeFlags,
  changeOptions,
  followChange,
  planOptions,
  withChangeFlags,
  withPlan,
} from '../change.ts';
import { listAll } from '../list.ts';
import { type Column, printList, printOne, safe } from '../output.ts';
import { printPlan } from '../plan-view.ts';
import type { Cli, GlobalOptions } from '../session.ts';
import { platformMigrateCommand } from './move.ts';

const COLUMNS: readonly Column<Platform>[] = [
  { title: 'name', value: (platform) => platform.name },
  { title: 'app', value: (platform) => `${platform.app} ${platform.facts?.version ?? ''}`.trim() },
  { title: 'state', value: (platform) => platform.state },
  { title: 'service', value: (platform) => platform.service },
  { title: 'path', value: (platform) => platform.root },
  { title: 'sites', value: (platform) => String(platform.sites) },
];

const DETAILS: readonly Column<Platform>[] = [
  { title: 'Name', value: (platform) => platform.name },
  { title: 'Id', value: (platform) => platform.id },
  { title: 'App', value: (platform) => `${platform.app} ${platform.facts?.version ?? ''}`.trim() },
  { title: 'State', value: (platform) => platform.state },
  { title: 'Service', value: (platform) => platform.service },
  { title: 'Path', value: (platform) => platform.root },
  { title: 'Docroot', value: (platform) => platform.facts?.docroot ?? '' },
  { title: 'PHP at least', value: (platform) => platform.facts?.phpMinimum ?? '' },
  { title: 'Profiles', value: (platform) => platform.facts?.profiles.join(', ') ?? '' },
  { title: 'Sites', value: (platform) => String(platform.sites) },
];

export function platformCommand(cli: Cli, program: Command): void {
  const noun = program.command('platform').description('code bases that sites run on');

  noun
    .command('list')
    .description('list platforms')
    .action(async (_, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) => {
        const platforms = await listAll(
          (page) => link.call(api.listPlatforms, page),
          (answer) => answer.platforms,
        );
        printList(
          out,
          platforms,
          Platform.toJSON,
          COLUMNS,
          'No platforms yet. Add one with: aegir platform add NAME PATH',
        );
      });
    });

  noun
    .command('show <platform>')
    .description('show one platform')
    .action(async (platform: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) =>
        printOne(out, await link.call(api.getPlatform, { platform }), Platform.toJSON, DETAILS),
      );
    });

  withChangeFlags(noun.command('add <name> <path>').description('declare a path on a web server as a platform'))
    .option('--service <service>', 'http service; may be left out when there is one only')
    .option('--app <app>', 'drupal, wordpress, php or static; found out when left out')
    .action(async (name: string, path: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags & { service?: string; app?: string }>();
      await followChange(cli, flags, (link) =>
        link.call(api.addPlatform, {
          name,
          root: path,
          service: flags.service ?? '',
          app: flags.app ?? '',
          options: changeOptions(flags),
        }),
      );
    });

  withChangeFlags(noun.command('verify <platform>').description('check it again')).action(
    async (platform: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags>();
      await followChange(cli, flags, (link) =>
        link.call(api.verifyPlatform, { platform, options: changeOptions(flags) }),
      );
    },
  );

  platformMigrateCommand(cli, noun);

  withPlan(
    noun.command('remove <platform>').description('forget a platform; its files stay. Refused while it has sites'),
  )
    .option('--yes', 'do not ask')
    .action(async (platform: string, _, command: Command) => {
      const flags = command.optsWithGlobals<AtOnceFlags>();
      await cli.connected(flags, async (link, out) => {
        const asked = { platform, confirm: true, options: planOptions(flags) };
        if (flags.plan === true) return printPlan(out, (await link.call(api.removePlatform, asked)).plan);
        const { name } = await link.call(api.getPlatform, { platform });
        await cli.confirm(`Remove platform ${name}?`, flags.yes === true);
        const removed = await link.call(api.removePlatform, asked);
        if (out.format === 'table') out.stdout.write(`platform ${safe(removed.name)} is removed; its files stay\n`);
        else printOne(out, removed, Platform.toJSON, DETAILS);
      });
    });
}
