// aegir site migrate, platform migrate, server evacuate, and aegir move, which tells of moves of many sites.
import type { Command } from 'commander';
import { AegirError } from '../../../shared/error.ts';
import { MoveServiceService as api, MoveBatch, type MoveBatchSite } from '../../../shared/gen/aegir/v1/move_admin.ts';
import { displayName } from '../../../shared/name.ts';
import { type ChangeFlags, changeOptions, followChange, withChangeFlags } from '../change.ts';
import type { Connection } from '../connection.ts';
import { listAll } from '../list.ts';
import { durationInSeconds, wholeNumber } from '../number.ts';
import { type Column, type Out, people, printList, printOne, safe, when } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';

interface MoveFlags {
  readonly maxHold?: string;
  readonly pastHold?: string;
  readonly quiet?: string;
  readonly rounds?: string;
  readonly skipLead?: boolean;
  /** Of --backup its service; false by --no-backup; true for neither. */
  readonly backup?: string | boolean;
  /** false by --no-follow. */
  readonly follow?: boolean;
  /** false by --no-dns-wait. */
  readonly dnsWait?: boolean;
}

function withMoveFlags(command: Command): Command {
  return command
    .option('--max-hold <time>', 'longest time that visitors may wait, for example 30s (60s)')
    .option('--past-hold <what>', 'what happens past it: undo, or maintenance (undo)')
    .option('--quiet <time>', 'time without visitors at the old server before its copy goes (5m)')
    .option('--rounds <n>', 'rounds of copying before visitors wait (3)')
    .option('--skip-lead', 'do not lower the TTL first; the old server hands visitors on for longer')
    .option('--no-dns-wait', 'do not wait until DNS leads there; the old server hands visitors on while some come')
    .option('--backup <service>', 'file service for a backup before; left out, the one that the policy names, if any')
    .option('--no-backup', 'without a backup before')
    .option('--no-follow', 'copy the database once more while visitors wait, instead of bringing what changed');
}

function wishOf(flags: MoveFlags) {
  return {
    maxHoldMillis: flags.maxHold === undefined ? 0 : durationInSeconds(flags.maxHold, '--max-hold', false) * 1000,
    pastHold: flags.pastHold ?? '',
    quietSeconds: flags.quiet === undefined ? 0 : durationInSeconds(flags.quiet, '--quiet', false),
    rounds: flags.rounds === undefined ? 0 : Number(wholeNumber(flags.rounds, '--rounds')),
    skipLead: flags.skipLead === true,
    backup: typeof flags.backup === 'string' ? flags.backup : '',
    noBackup: flags.backup === false,
    noFollow: flags.follow === false,
    noDnsWait: flags.dnsWait === false,
  };
}

interface MigrateFlags extends ChangeFlags, MoveFlags {
  readonly server?: string;
  readonly platform?: string;
  readonly db?: string;
}

export function migrateCommand(cli: Cli, noun: Command): void {
  withMoveFlags(
    withChangeFlags(
      noun.command('migrate <site>').description('move a site to another server, platform or database while it serves'),
    ),
  )
    .option('--server <server>', 'server that it moves to')
    .option('--platform <platform>', 'platform that it moves to; left out, the one on the server that is like its own')
    .option('--db <service>', 'db service that it moves to; left out, the one of its kind on the server, or its own')
    .action(async (site: string, _, command: Command) => {
      const flags = command.optsWithGlobals<MigrateFlags>();
      const { server = '', platform = '', db = '' } = flags;
      await followChange(cli, flags, (link) =>
        link.call(api.migrateSite, { site, server, platform, db, ...wishOf(flags), options: changeOptions(flags) }),
      );
    });
}

interface ManyFlags extends GlobalOptions, MoveFlags {
  readonly to?: string;
  readonly toServer?: string;
  readonly toPlatform?: string;
  readonly db?: string;
  readonly atOnce?: string;
  readonly stopAfter?: string;
  readonly plan?: boolean;
  readonly wait: boolean;
}

function withManyFlags(command: Command): Command {
  return withMoveFlags(command)
    .option('--db <service>', 'db service that they move to')
    .option('--at-once <n>', 'how many at once (2)')
    .option('--stop-after <n>', 'begin no further site after so many failed (3)')
    .option('--plan', 'only show what would be done')
    .option('--no-wait', 'answer with the id at once instead of waiting for the end');
}

async function moveMany(
  cli: Cli,
  flags: ManyFlags,
  what: {
    readonly fromPlatform: string;
    readonly fromServer: string;
    readonly toPlatform: string;
    readonly toServer: string;
  },
): Promise<void> {
  const number = (text: string | undefined, name: string) => (text === undefined ? 0 : Number(wholeNumber(text, name)));
  await cli.connected(flags, async (link, out) => {
    const batch = await link.call(api.migrateMany, {
      ...what,
      ...wishOf(flags),
      db: flags.db ?? '',
      atOnce: number(flags.atOnce, '--at-once'),
      stopAfter: number(flags.stopAfter, '--stop-after'),
      planOnly: flags.plan === true,
    });
    if (flags.plan !== true && flags.wait) return followBatch(link, out, batch);
    show(out, batch);
    const stay = count(batch, 'skipped');
    if (flags.plan !== true || stay === 0) return;
    throw new AegirError(
      'failed_precondition',
      `cannot ${batch.summary}: ${stay} of ${batch.sites.length} would stay; the plan says why`,
    );
  });
}

export function platformMigrateCommand(cli: Cli, noun: Command): void {
  withManyFlags(noun.command('migrate <platform>').description('move all sites of a platform to another one'))
    .requiredOption('--to <platform>', 'platform that they move to')
    .action(async (fromPlatform: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ManyFlags>();
      await moveMany(cli, flags, { fromPlatform, fromServer: '', toPlatform: flags.to ?? '', toServer: '' });
    });
}

export function evacuateCommand(cli: Cli, noun: Command): void {
  withManyFlags(
    noun.command('evacuate <server>').description('move all sites, and all databases of sites, off a server'),
  )
    .requiredOption('--to <server>', 'server that they move to')
    .option('--to-platform <platform>', 'platform there; left out, the ones like their own')
    .action(async (fromServer: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ManyFlags>();
      const to = { toPlatform: flags.toPlatform ?? '', toServer: flags.to ?? '' };
      await moveMany(cli, flags, { fromPlatform: '', fromServer, ...to });
    });
}

const count = ({ sites }: MoveBatch, state: string) => sites.filter((site) => site.state === state).length;

const COLUMNS: readonly Column<MoveBatch>[] = [
  { title: 'id', value: ({ id }) => id },
  { title: 'state', value: ({ state }) => state },
  { title: 'what', value: ({ summary }) => summary },
  { title: 'moved', value: (batch) => `${count(batch, 'moved')} of ${batch.sites.length}` },
  { title: 'failed', value: (batch) => String(count(batch, 'failed')) },
  { title: 'began', value: ({ createdAt }) => when(createdAt) },
];

const SITES: readonly Column<MoveBatchSite>[] = [
  { title: 'site', value: ({ name }) => displayName(name) },
  { title: 'state', value: ({ state }) => state },
  { title: 'task', value: ({ taskId }) => taskId || '-' },
  { title: 'why', value: ({ why }) => why || '-' },
];

function show(out: Out, batch: MoveBatch): void {
  if (out.format !== 'table') {
    printOne(out, batch, MoveBatch.toJSON, []);
    return;
  }
  const head = batch.id === '' ? `Plan: ${batch.summary}` : `${batch.id}: ${batch.summary}: ${batch.state}`;
  out.stdout.write(`${safe(head)}\n`);
  if (batch.id === '' && batch.sites.length > 0) {
    for (const { name, why, plan } of batch.sites) {
      out.stdout.write(`${safe(displayName(name))}${why === '' ? '' : people(`: stays: ${why}`)}\n`);
      for (const line of plan) out.stdout.write(`  ${people(line)}\n`);
    }
    return;
  }
  printList(out, batch.sites, () => ({}), SITES, 'no sites');
}

const LOOK_MS = 1_000;

/** Until it ends; what changed is told as it happens. */
async function followBatch(link: Connection, out: Out, begun: MoveBatch): Promise<void> {
  const told = new Map<string, string>();
  let batch = begun;
  for (;;) {
    for (const site of batch.sites) {
      if (told.get(site.siteId) === site.state || site.state === 'waiting') continue;
      told.set(site.siteId, site.state);
      const why = site.why === '' ? '' : `: ${site.why}`;
      out.stderr.write(`${safe(`${displayName(site.name)} ${site.state}${why}`)}\n`);
    }
    if (batch.state !== 'running' && count(batch, 'moving') === 0) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    batch = await link.call(api.getMoveBatch, { batch: batch.id });
  }
  show(out, batch);
  const left = batch.sites.length - count(batch, 'moved');
  if (left === 0) return;
  throw new AegirError(
    'failed_precondition',
    `cannot ${batch.summary}: ${left} of ${batch.sites.length} sites were not moved; when what they name is mended, run: aegir move resume ${batch.id}`,
  );
}

export function moveCommand(cli: Cli, program: Command): void {
  const noun = program
    .command('move')
    .description('moves of many sites, as platform migrate and server evacuate begin them');
  noun
    .command('list')
    .description('list them, newest first')
    .action(async (_, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) => {
        const batches = await listAll(
          (page) => link.call(api.listMoveBatches, page),
          (answer) => answer.batches,
        );
        printList(
          out,
          batches,
          MoveBatch.toJSON,
          COLUMNS,
          'no moves of many sites yet; see: aegir server evacuate --help',
        );
      });
    });
  const one = (
    verb: string,
    text: string,
    ask: (link: Connection, batch: string) => Promise<MoveBatch>,
    tell: (link: Connection, out: Out, batch: MoveBatch) => Promise<void> | void = (_, out, batch) => show(out, batch),
  ) =>
    noun
      .command(`${verb} <move>`)
      .description(text)
      .action(async (batch: string, _, command: Command) => {
        await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) => {
          await tell(link, out, await ask(link, batch));
        });
      });
  one('show', 'the report of one', (link, batch) => link.call(api.getMoveBatch, { batch }));
  one('stop', 'begin no further site; those at work go on', (link, batch) => link.call(api.stopMoveBatch, { batch }));
  one(
    'resume',
    'go on with those that were not moved',
    (link, batch) => link.call(api.resumeMoveBatch, { batch }),
    followBatch,
  );
}
