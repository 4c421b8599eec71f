// aegir service …
import type { Command } from 'commander';
import { AegirError } from '../../../shared/error.ts';
import { ServiceServiceService as api, Service } from '../../../shared/gen/aegir/v1/admin.ts';
import { BackupServiceService } from '../../../shared/gen/aegir/v1/backup_admin.ts';
import { displayName } from '../../../shared/name.ts';
import {
  type AtOnceFlags,
  type ChangeFlags,
  changeOptions,
  followChange,
  planOptions,
  withChangeFlags,
  withPlan,
} from '../change.ts';
import { engineHelp } from '../engine-help.ts';
import { listAll } from '../list.ts';
import { type Column, printList, printOne, when } from '../output.ts';
import { printPlan } from '../plan-view.ts';
import type { Cli, GlobalOptions } from '../session.ts';
import { secretsOf, settingsOf } from '../settings.ts';

const roots = ({ detected, settings }: Service) => settings['root'] ?? detected?.configRoots.join(', ') ?? '';

const COLUMNS: readonly Column<Service>[] = [
  { title: 'service', value: (service) => service.name },
  { title: 'type', value: (service) => service.type || '-' },
  {
    title: 'state',
    // What is of no type is a fact: programs that engines use, as git, and daemons that ours ask nothing of.
    value: ({ type, state, detected }) =>
      type === '' || state !== 'detected' || detected?.manageable === true ? state : 'detected, no engine for it',
  },
  { title: 'version', value: (service) => service.detected?.version ?? '' },
  { title: 'runs', value: (service) => (service.detected?.running ? 'yes' : 'no') },
  { title: 'ports', value: (service) => service.detected?.ports.join(', ') ?? '' },
  { title: 'bound', value: (service) => String(service.bound) },
];

const DETAILS: readonly Column<Service>[] = [
  { title: 'Service', value: (service) => service.name },
  { title: 'Id', value: (service) => service.id },
  ...COLUMNS.slice(1).map((column) => ({ ...column, title: column.title[0]?.toUpperCase() + column.title.slice(1) })),
  { title: 'Root', value: (service) => (service.type === 'file' ? roots(service) : '') },
  { title: 'Configuration', value: (service) => (service.type === 'file' ? '' : roots(service)) },
  { title: 'Can', value: (service) => service.detected?.capabilities.join(', ') ?? '' },
  {
    title: 'Settings',
    value: (service) =>
      Object.entries(service.settings)
        .map(([key, value]) => `${key}=${value}`)
        .join(', '),
  },
  { title: 'Secrets', value: (service) => service.secrets.map((key) => `${key} (set)`).join(', ') },
];

interface SettingFlags {
  readonly set?: readonly string[];
  readonly secret?: readonly string[];
}

interface SetFlags {
  readonly unset?: readonly string[];
  readonly moved?: boolean;
  readonly leaveBackups?: boolean;
}

export function serviceCommand(cli: Cli, program: Command): void {
  const noun = program.command('service').description('daemons on servers, that sites bind to');

  noun
    .command('list')
    .description('list services')
    .option('--server <server>', 'only of this server')
    .option('--type <type>', 'only of this type: http, db, dns or file')
    .option('--all', 'facts too, which nothing binds to')
    .action(async (_, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & { server?: string; type?: string; all?: boolean }>();
      await cli.connected(flags, async (link, out) => {
        const services = await listAll(
          (page) => link.call(api.listServices, { ...page, server: flags.server ?? '', type: flags.type ?? '' }),
          (answer) => answer.services,
        );
        const shown = flags.all === true ? services : services.filter((service) => service.type !== '');
        printList(out, shown, Service.toJSON, COLUMNS, 'No services yet: no server has joined.');
      });
    });

  noun
    .command('show <service>')
    .description('show one service, named SERVER/ENGINE[:INSTANCE]')
    .action(async (service: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) =>
        printOne(out, await link.call(api.getService, { service }), Service.toJSON, DETAILS),
      );
    });

  withChangeFlags(noun.command('enable [service]').description('make a detected service usable'))
    .option('--auto', 'every detected service that an engine can drive')
    .action(async (service: string | undefined, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags & { auto?: boolean }>();
      if ((service === undefined) === (flags.auto !== true)) {
        throw new AegirError('invalid_argument', 'cannot enable: name one service, or say --auto');
      }
      const names = service === undefined ? await enableable(cli, flags) : [service];
      for (const name of names) {
        await followChange(cli, flags, (link) =>
          link.call(api.enableService, { service: name, options: changeOptions(flags) }),
        );
      }
    });

  withChangeFlags(
    noun
      .command('verify <service>')
      .description('make an enabled service ready again and check it; of a file service, by writing and reading there'),
  ).action(async (service: string, _, command: Command) => {
    const flags = command.optsWithGlobals<ChangeFlags>();
    await followChange(cli, flags, (link) => link.call(api.verifyService, { service, options: changeOptions(flags) }));
  });

  withPlan(
    noun.command('disable <service>').description('take a service out of use; refused while something binds to it'),
  ).action(async (service: string, _, command: Command) => {
    const flags = command.optsWithGlobals<AtOnceFlags>();
    await cli.connected(flags, async (link, out) => {
      const disabled = await link.call(api.disableService, { service, options: planOptions(flags) });
      if (flags.plan === true) printPlan(out, disabled.plan);
      else printOne(out, disabled, Service.toJSON, DETAILS);
    });
  });

  withChangeFlags(
    noun
      .command('declare <service>')
      .description(
        'add a service that no agent detects, as SERVER/ENGINE[:INSTANCE], for example web1/rfc2136:provider',
      ),
  )
    .requiredOption('--type <type>', 'http, db, dns or file')
    .option('--set <key=value...>', 'settings for the engine')
    .option('--secret <key=file...>', 'secrets for the engine, from files; - for standard input')
    .addHelpText('after', engineHelp)
    .action(async (service: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags & SettingFlags & { type: string }>();
      const parts = /^([^/]+)\/([^/:]+)(?::(.+))?$/.exec(service);
      if (parts === null) {
        throw new AegirError(
          'invalid_argument',
          `cannot declare ${JSON.stringify(service)}: SERVER/ENGINE or SERVER/ENGINE:INSTANCE is needed`,
        );
      }
      const [, server = '', engine = '', instance = ''] = parts;
      const [settings, secrets] = [settingsOf(flags.set ?? []), secretsOf(flags.secret ?? [])];
      await followChange(cli, flags, (link) =>
        link.call(api.declareService, {
          ...{ server, engine, instance, type: flags.type, settings, secrets },
          options: changeOptions(flags),
        }),
      );
    });

  withChangeFlags(noun.command('set <service>').description('change what is declared of a service; the rest stays'))
    .option('--set <key=value...>', 'settings for the engine')
    .option('--secret <key=file...>', 'secrets for the engine, from files; - for standard input')
    .option('--unset <keys...>', 'take these away')
    .option(
      '--moved',
      'a file service keeps its bytes elsewhere then: you moved them there, with its backups, which are looked for',
    )
    .option('--leave-backups', 'its backups stay where they are, and are not found any more')
    .addHelpText('after', engineHelp)
    .action(async (service: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags & SettingFlags & SetFlags>();
      const [settings, secrets] = [settingsOf(flags.set ?? []), secretsOf(flags.secret ?? [])];
      await followChange(cli, flags, (link) =>
        link.call(api.setService, {
          ...{ service, settings, secrets, unset: [...(flags.unset ?? [])] },
          ...{ moved: flags.moved === true, leaveBackups: flags.leaveBackups === true },
          options: changeOptions(flags),
        }),
      );
    });

  withPlan(noun.command('remove <service>').description('forget a declared service; refused while something uses it'))
    .option('--abandoned', 'its server is gone for good: forget a file service with the backups that it had')
    .option('--yes', 'do not ask')
    .action(async (service: string, _, command: Command) => {
      const flags = command.optsWithGlobals<AtOnceFlags & { abandoned?: boolean }>();
      const abandoned = flags.abandoned === true;
      await cli.connected(flags, async (link, out) => {
        const asked = { service, confirm: true, abandoned, options: planOptions(flags) };
        if (flags.plan === true) return printPlan(out, (await link.call(api.removeService, asked)).plan);
        // Names of a revoked server's services are looked up no more; its id and its backups are still there.
        const byId = service.startsWith('svc-');
        const name = abandoned && !byId ? service : (await link.call(api.getService, { service })).name;
        const all = abandoned
          ? await listAll(
              (page) =>
                link.call(BackupServiceService.listBackups, { ...page, site: '', service: byId ? service : '' }),
              (answer) => answer.backups,
            )
          : [];
        const lost = all.filter((backup) => byId || backup.service === service);
        for (const { id, siteName, takenAt, provenAt } of lost) {
          const proven = provenAt === undefined ? '' : ', proven restorable';
          out.stderr.write(`lost: backup ${id} of ${displayName(siteName)}, taken ${when(takenAt)}${proven}\n`);
        }
        const what = abandoned ? `, and ${lost.length} ${lost.length === 1 ? 'backup' : 'backups'}, for good` : '';
        await cli.confirm(`Forget service ${name}, with its secrets${what}?`, flags.yes === true);
        const removed = await link.call(api.removeService, asked);
        if (out.format === 'table') {
          const marks =
            removed.type === 'file' && !abandoned
              ? '; what marks its place as a store (aegir-key, .aegir-mount) stays there: remove that where no other service leads to it'
              : '';
          out.stdout.write(`${removed.name} is forgotten${marks}\n`);
        } else printOne(out, removed, Service.toJSON, DETAILS);
      });
    });
}

async function enableable(cli: Cli, flags: GlobalOptions): Promise<readonly string[]> {
  return cli.connected(flags, async (link) => {
    const services = await listAll(
      (page) => link.call(api.listServices, { ...page, server: '', type: '' }),
      (answer) => answer.services,
    );
    return services
      .filter((service) => service.state === 'detected' && service.type !== '' && service.detected?.manageable === true)
      .map((service) => service.id);
  });
}
