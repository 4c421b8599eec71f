// aegir cluster …
import type { Command } from 'commander';
import {
  ClusterServiceService as api,
  Cluster,
  type Head,
  type SpreadSite,
} from '../../../shared/gen/aegir/v1/admin.ts';
import { counted } from '../../../shared/words.ts';
import { type ChangeFlags, changeOptions, followChange, withChangeFlags } from '../change.ts';
import { listAll } from '../list.ts';
import { wholeNumber } from '../number.ts';
import { type Column, printList, printOne, when } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';

const COLUMNS: readonly Column<Cluster>[] = [
  { title: 'cluster', value: (cluster) => cluster.name },
  { title: 'state', value: (cluster) => cluster.state },
  { title: 'service', value: (cluster) => cluster.service },
  { title: 'heads', value: ({ heads }) => heads.map((head) => `${head.service} (${head.state})`).join(', ') || '-' },
  { title: 'share', value: (cluster) => cluster.share || '-' },
  { title: 'sites', value: (cluster) => String(cluster.sites) },
];

const DETAILS: readonly Column<Cluster>[] = [
  { title: 'Cluster', value: (cluster) => cluster.name },
  { title: 'Id', value: (cluster) => cluster.id },
  { title: 'State', value: (cluster) => cluster.state },
  { title: 'Service', value: (cluster) => cluster.service },
  { title: 'Heads', value: ({ heads }) => heads.map(headLine).join('\n') || 'none: aegir cluster add' },
  { title: 'Front', value: (cluster) => cluster.statusError },
  { title: 'Share', value: (cluster) => cluster.share || 'nothing: heads have files of their own' },
  {
    title: 'Checks',
    value: ({ checkMillis, fall, rise }) =>
      `every ${checkMillis} ms; out after ${fall} bad ones, in after ${rise} good ones`,
  },
  { title: 'Platforms', value: (cluster) => String(cluster.platforms) },
  { title: 'Sites', value: (cluster) => String(cluster.sites) },
  { title: 'Files', value: ({ spread }) => spread.map(spreadLine).join('\n') },
];

/** Which head takes the writes of a site, and what the others have of its files. */
function spreadLine({ site, writer, copies }: SpreadSite): string {
  const words = copies.map(({ service, state, at }) => {
    const since = at === undefined ? '' : `, copied ${when(at)}`;
    return `${service} ${state === 'kept' ? 'has files that are nowhere else' : state}${since}`;
  });
  return `${site}: ${writer} takes writes; ${words.join('; ') || 'no other head'}`;
}

function headLine({ service, state, weight, status }: Head): string {
  const health =
    status === undefined
      ? ''
      : `, ${status.healthy ? 'healthy' : `not healthy: ${status.check}`}, works on ${counted(status.requests, 'request')}`;
  return `${service}: ${state}${weight === 1 ? '' : `, weight ${weight}`}${health}`;
}

interface CreateFlags extends ChangeFlags {
  readonly front: string;
  readonly head?: readonly string[];
  readonly share?: string;
  readonly checkMillis?: string;
  readonly fall?: string;
  readonly rise?: string;
}

interface HeadFlags extends ChangeFlags {
  readonly weight?: string;
  readonly patience?: string;
  readonly abandoned?: boolean;
  readonly discard?: boolean;
}

export function clusterCommand(cli: Cli, program: Command): void {
  const noun = program.command('cluster').description('web servers behind a front that leads visitors to them');

  noun
    .command('list')
    .description('list clusters')
    .action(async (_, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) => {
        const clusters = await listAll(
          (page) => link.call(api.listClusters, page),
          (answer) => answer.clusters,
        );
        printList(out, clusters, Cluster.toJSON, COLUMNS, 'no clusters yet; see: aegir cluster create --help');
      });
    });

  noun
    .command('show <cluster>')
    .description('show a cluster, and what its front says of the heads now')
    .action(async (cluster: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) => {
        printOne(out, await link.call(api.getCluster, { cluster }), Cluster.toJSON, DETAILS);
      });
    });

  withChangeFlags(noun.command('create <name>'))
    .description('make a server with HAProxy the front of web servers')
    .requiredOption('--front <server>', 'server of the front')
    .option('--head <services...>', 'web servers, as SERVER/nginx')
    .option('--share <name>', 'what the heads share, as their file/mount services name it')
    .option('--check-millis <n>', 'milliseconds between two checks of a head (1000)')
    .option('--fall <n>', 'failed checks until a head gets no more requests (3)')
    .option('--rise <n>', 'good checks until it gets requests again (2)')
    .action(async (name: string, _, command: Command) => {
      const flags = command.optsWithGlobals<CreateFlags>();
      const number = (text: string | undefined, what: string) =>
        text === undefined ? 0 : Number(wholeNumber(text, what));
      await followChange(cli, flags, (link) =>
        link.call(api.createCluster, {
          ...{ name, front: flags.front, heads: [...(flags.head ?? [])], share: flags.share ?? '' },
          checkMillis: number(flags.checkMillis, '--check-millis'),
          fall: number(flags.fall, '--fall'),
          rise: number(flags.rise, '--rise'),
          options: changeOptions(flags),
        }),
      );
    });

  const headVerb = (
    verb: string,
    description: string,
    method: (typeof api)['addHead' | 'drainHead' | 'activateHead' | 'removeHead'],
    more: (command: Command) => Command = (command) => command,
  ): void => {
    more(withChangeFlags(noun.command(`${verb} <cluster> <head>`)).description(description)).action(
      async (cluster: string, service: string, _: unknown, command: Command) => {
        const flags = command.optsWithGlobals<HeadFlags>();
        if (verb === 'remove' && flags.plan !== true) {
          await cli.connected(flags, async (link) => void (await link.call(api.getCluster, { cluster })));
          await cli.confirm(`Take the sites of cluster ${cluster} off ${service}?`, flags.yes === true);
        }
        await followChange(cli, flags, (link) =>
          link.call(method, {
            ...{ cluster, service, confirm: verb === 'remove', abandoned: flags.abandoned === true },
            weight: flags.weight === undefined ? 0 : Number(wholeNumber(flags.weight, '--weight')),
            patienceSeconds: flags.patience === undefined ? 0 : Number(wholeNumber(flags.patience, '--patience')),
            discard: flags.discard === true,
            options: changeOptions(flags),
          }),
        );
      },
    );
  };
  const patience = (command: Command) =>
    command.option('--patience <seconds>', 'how long visitors who are bound to it may come back (0)');

  headVerb('add', "bring the cluster's sites to a web server, then visitors", api.addHead, (command) =>
    command.option('--weight <n>', 'share of the requests in comparison with the others, 1 to 100 (1)'),
  );
  headVerb('drain', 'lead no more visitors to a head; its sites stay on it', api.drainHead, (command) =>
    patience(command).option('--abandoned', 'its server does not answer: others go on with the files that they have'),
  );
  headVerb('activate', 'lead visitors to a drained head again', api.activateHead, (command) =>
    command.option('--discard', 'throw away files that it alone has, since it was given up while it took writes'),
  );
  headVerb('remove', "drain a head, and take the cluster's sites off it", api.removeHead, (command) =>
    patience(command).option('--abandoned', 'its server is gone: nothing is done there').option('--yes', 'do not ask'),
  );

  withChangeFlags(noun.command('sync <cluster> [site]'))
    .description('bring files from the heads that take writes to the others now; it happens by itself, too')
    .action(async (cluster: string, site: string | undefined, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags>();
      await followChange(cli, flags, (link) =>
        link.call(api.syncCluster, { cluster, site: site ?? '', options: changeOptions(flags) }),
      );
    });

  withChangeFlags(noun.command('writer <site> <head>'))
    .description('have another head take what visitors of a site leave')
    .action(async (site: string, service: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags>();
      await followChange(cli, flags, (link) =>
        link.call(api.moveWriter, { site, service, options: changeOptions(flags) }),
      );
    });

  withChangeFlags(noun.command('verify <cluster>'))
    .description('find drift of the front, and mend it')
    .action(async (cluster: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags>();
      await followChange(cli, flags, (link) =>
        link.call(api.verifyCluster, { cluster, confirm: false, options: changeOptions(flags) }),
      );
    });

  withChangeFlags(noun.command('delete <cluster>'))
    .description('take a cluster off its front; refused while it has sites or platforms')
    .option('--yes', 'do not ask')
    .action(async (cluster: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags>();
      if (flags.plan !== true) {
        await cli.connected(flags, async (link) => void (await link.call(api.getCluster, { cluster })));
        await cli.confirm(`Delete cluster ${cluster}?`, flags.yes === true);
      }
      await followChange(cli, flags, (link) =>
        link.call(api.deleteCluster, { cluster, confirm: true, options: changeOptions(flags) }),
      );
    });
}
