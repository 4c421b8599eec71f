// aegir client …
import type { Command } from 'commander';
import { ClientServiceService as api, Client } from '../../../shared/gen/aegir/v1/admin.ts';
import { type AtOnceFlags, planOptions, withPlan } from '../change.ts';
import { listAll } from '../list.ts';
import { type Column, printList, printOne } from '../output.ts';
import { printPlan } from '../plan-view.ts';
import type { Cli, GlobalOptions } from '../session.ts';

const COLUMNS: readonly Column<Client>[] = [
  { title: 'name', value: (client) => client.name },
  { title: 'mail', value: (client) => client.mail },
  { title: 'sites', value: (client) => String(client.sites) },
];

export function clientCommand(cli: Cli, program: Command): void {
  const noun = program.command('client').description('who owns sites');

  noun
    .command('list')
    .description('list clients')
    .action(async (_, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) => {
        const clients = await listAll(
          (page) => link.call(api.listClients, page),
          (answer) => answer.clients,
        );
        printList(out, clients, Client.toJSON, COLUMNS, 'No clients yet.');
      });
    });

  noun
    .command('add <name>')
    .description('add a client')
    .option('--mail <mail>', 'mail address', '')
    .action(async (name: string, _, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & { mail: string }>();
      await cli.connected(flags, async (link, out) =>
        printOne(out, await link.call(api.addClient, { name, mail: flags.mail }), Client.toJSON, COLUMNS),
      );
    });

  withPlan(noun.command('remove <client>').description('remove a client; refused while it owns sites'))
    .option('--yes', 'do not ask')
    .action(async (client: string, _, command: Command) => {
      const flags = command.optsWithGlobals<AtOnceFlags>();
      await cli.connected(flags, async (link, out) => {
        const asked = { client, confirm: true, options: planOptions(flags) };
        if (flags.plan === true) return printPlan(out, (await link.call(api.removeClient, asked)).plan);
        const known = await listAll(
          (page) => link.call(api.listClients, page),
          (answer) => answer.clients,
        );
        // Nobody is asked about what is not there: the call says so.
        if (known.some(({ id, name }) => id === client || name === client)) {
          await cli.confirm(`Remove client ${client}?`, flags.yes === true);
        }
        printOne(out, await link.call(api.removeClient, asked), Client.toJSON, COLUMNS);
      });
    });
}
