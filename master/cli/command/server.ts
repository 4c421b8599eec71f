// aegir server …
import type { Command } from 'commander';
import { AegirError } from '../../../shared/error.ts';
import { ServerServiceService as api, GetJoinCommandResponse, Server } from '../../../shared/gen/aegir/v1/admin.ts';
import {
  type AtOnceFlags,
  type ChangeFlags,
  changeOptions,
  followChange,
  followQuietly,
  mustSucceed,
  planOptions,
  withChangeFlags,
  withPlan,
} from '../change.ts';
import { listAll } from '../list.ts';
import { durationInSeconds, wholeNumber } from '../number.ts';
import { bytes, type Column, people, printData, printList, printOne, safe, when } from '../output.ts';
import { printPlan } from '../plan-view.ts';
import { printReport } from '../report-view.ts';
import type { Cli, GlobalOptions } from '../session.ts';
import { evacuateCommand } from './move.ts';

const connection = (server: Server) => (server.connected ? 'connected' : 'not connected');

const COLUMNS: readonly Column<Server>[] = [
  { title: 'name', value: (server) => server.name },
  { title: 'state', value: (server) => server.state },
  { title: 'agent', value: connection },
  { title: 'address', value: (server) => server.facts?.addresses[0] ?? '' },
  { title: 'os', value: (server) => server.facts?.os ?? '' },
  {
    title: 'services',
    value: (server) =>
      server.services
        .filter((service) => service.state === 'enabled')
        .map((service) => service.engine)
        .join(', '),
  },
  { title: 'last seen', value: (server) => when(server.lastSeenAt) },
];

const DETAILS: readonly Column<Server>[] = [
  { title: 'Name', value: (server) => server.name },
  { title: 'Id', value: (server) => server.id },
  { title: 'State', value: (server) => server.state },
  {
    title: 'Agent',
    value: (server) =>
      `${connection(server)}, version ${server.facts?.agentVersion ?? '?'}, ${bytes(server.agentRssBytes)}`,
  },
  { title: 'Mesh', value: (server) => server.meshState },
  { title: 'Addresses', value: (server) => server.facts?.addresses.join(', ') ?? '' },
  {
    title: 'System',
    value: (server) => `${server.facts?.os ?? ''}, kernel ${server.facts?.kernel ?? ''}, ${server.facts?.arch ?? ''}`,
  },
  {
    title: 'Size',
    value: (server) => `${server.facts?.cpus ?? 0} CPUs, ${bytes(server.facts?.memoryBytes ?? 0n)} memory`,
  },
  {
    title: 'Disks',
    value: (server) =>
      (server.facts?.disks ?? [])
        .map((disk) => `${disk.mount} ${bytes(disk.freeBytes)} free of ${bytes(disk.sizeBytes)}`)
        .join('; '),
  },
  { title: 'Enrolled', value: (server) => when(server.enrolledAt) },
  { title: 'Certificate', value: (server) => `until ${when(server.certificateExpiresAt)}` },
  {
    title: 'Services',
    value: (server) =>
      server.services
        .map(
          (service) =>
            `${service.engine}${service.instance === '' ? '' : `:${service.instance}`} ${service.detected?.version ?? ''} (${service.state})`,
        )
        .join('; '),
  },
];

export function serverCommand(cli: Cli, program: Command): void {
  const noun = program.command('server').description('machines with an agent');

  noun
    .command('list')
    .description('list servers')
    .action(async (_, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions>();
      await cli.connected(flags, async (link, out) => {
        const servers = await listAll(
          (page) => link.call(api.listServers, page),
          (answer) => answer.servers,
        );
        printList(
          out,
          servers,
          Server.toJSON,
          COLUMNS,
          'No servers yet. Make one join with: aegir server join-command',
        );
      });
    });

  noun
    .command('show <server>')
    .description('show one server')
    .action(async (server: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) =>
        printOne(out, await link.call(api.getServer, { server }), Server.toJSON, DETAILS),
      );
    });

  withPlan(noun.command('accept <server>').description('let a pending server take part'))
    .option('--enable <types>', 'also enable its detected services of these types, for example http,db')
    .option('--auto', 'enable all types: http, db, dns, file')
    .action(async (server: string, _, command: Command) => {
      const flags = command.optsWithGlobals<AtOnceFlags & { enable?: string; auto?: boolean }>();
      await cli.connected(flags, async (link, out) => {
        const asked = { server, enableTypes: typesOf(flags), options: planOptions(flags) };
        const accepted = await link.call(api.acceptServer, asked);
        if (flags.plan === true) printPlan(out, accepted.plan);
        else printOne(out, accepted, Server.toJSON, DETAILS);
      });
    });

  withPlan(noun.command('revoke <server>').description("end a server's identity for ever and cut its connections"))
    .option('--yes', 'do not ask')
    .action(async (server: string, _, command: Command) => {
      const flags = command.optsWithGlobals<AtOnceFlags>();
      await cli.connected(flags, async (link, out) => {
        const asked = { server, confirm: true, options: planOptions(flags) };
        if (flags.plan === true) return printPlan(out, (await link.call(api.revokeServer, asked)).plan);
        const { name, id, plan } = await link.call(api.revokeServer, {
          ...asked,
          options: planOptions({ ...flags, plan: true }),
        });
        for (const warning of plan?.warnings ?? []) out.stderr.write(`Warning: ${people(warning)}\n`);
        await cli.confirm(`Revoke ${name}, for good?`, flags.yes === true);
        printOne(out, await link.call(api.revokeServer, { ...asked, server: id }), Server.toJSON, DETAILS);
      });
    });

  withPlan(noun.command('remove <server>').description('revoke a server that nothing uses, and forget it'))
    .option('--abandoned', 'it is gone for good: forget the sites, platforms, zones and backups that it had, too')
    .option('--yes', 'do not ask')
    .action(async (server: string, _, command: Command) => {
      const flags = command.optsWithGlobals<AtOnceFlags & { abandoned?: boolean }>();
      await cli.connected(flags, async (link, out) => {
        const asked = { server, confirm: true, abandoned: flags.abandoned === true };
        const { name, id, plan } = await link.call(api.removeServer, {
          ...asked,
          options: planOptions({ ...flags, plan: true }),
        });
        if (flags.plan === true) return printPlan(out, plan);
        for (const warning of plan?.warnings ?? []) out.stderr.write(`Warning: ${people(warning)}\n`);
        await cli.confirm(`Remove ${name}, for good?`, flags.yes === true);
        // The one that was asked about, whoever has its name meanwhile.
        const removed = await link.call(api.removeServer, { ...asked, server: id, options: planOptions(flags) });
        if (out.format === 'table') out.stdout.write(`${safe(removed.name)} is removed\n`);
        else printOne(out, removed, Server.toJSON, DETAILS);
      });
    });

  noun
    .command('detect <server>')
    .description('take an inventory now')
    .action(async (server: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) =>
        printOne(out, await link.call(api.detectServer, { server }), Server.toJSON, DETAILS),
      );
    });

  withChangeFlags(noun.command('verify <server>').description('diagnose, detect, compare and repair; ends in a report'))
    .option('--check-only', 'only look and report, repair nothing')
    .action(async (server: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags & { checkOnly?: boolean }>();
      const request = { server, options: changeOptions(flags), checkOnly: flags.checkOnly === true };
      if (flags.plan === true || !flags.wait) {
        await followChange(cli, flags, (link) => link.call(api.verifyServer, request));
        return;
      }
      await cli.connected(flags, async (link, out) => {
        const { taskId } = await link.call(api.verifyServer, request);
        const task = await followQuietly(link, out, taskId, flags.verbose === true);
        // One that ended before its report has none: then why it ended is all there is to tell.
        if (task.state === 'succeeded' || task.state === 'failed') {
          const report = await link.call(api.getServerReport, { server, taskId }).catch((thrown: unknown) => {
            if (thrown instanceof AegirError && thrown.code === 'not_found') return undefined;
            throw thrown;
          });
          if (report !== undefined) printReport(out, report, Date.now());
        }
        mustSucceed(task);
      });
    });

  noun
    .command('report <server>')
    .description('show the newest report of a server, as verify made it')
    .option('--task <task>', 'the report of this task')
    .action(async (server: string, _, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & { task?: string }>();
      await cli.connected(flags, async (link, out) =>
        printReport(out, await link.call(api.getServerReport, { server, taskId: flags.task ?? '' }), Date.now()),
      );
    });

  evacuateCommand(cli, noun);

  noun
    .command('join-command')
    .description('print the line that makes a host join')
    .option('--ttl <time>', 'how long the token lives, seconds or for example 2d', '1h')
    .option('--uses <n>', 'how many servers may use it', '1')
    .option('--accept', 'accept those servers by themselves')
    .option('--enable <types>', 'enable their detected services of these types')
    .option('--auto', 'accept, and enable all types')
    .action(async (_, command: Command) => {
      const flags = command.optsWithGlobals<
        GlobalOptions & { ttl: string; uses: string; accept?: boolean; enable?: string; auto?: boolean }
      >();
      await cli.connected(flags, async (link, out) => {
        const answer = await link.call(api.getJoinCommand, {
          ttlSeconds: BigInt(durationInSeconds(flags.ttl, '--ttl', false)),
          uses: Number(wholeNumber(flags.uses, '--uses')),
          autoAccept: flags.accept === true || flags.auto === true,
          autoEnable: typesOf(flags),
        });
        if (out.format === 'table') {
          out.stdout.write(`${safe(answer.command)}\n`);
          out.stderr.write(
            `Run it as root on the new host, before ${when(answer.token?.expiresAt)}. It contains a secret.\n`,
          );
        } else printData(out, GetJoinCommandResponse.toJSON(answer));
      });
    });
}

function typesOf(flags: { readonly enable?: string; readonly auto?: boolean }): string[] {
  if (flags.auto === true) return ['http', 'db', 'dns', 'file'];
  return (flags.enable ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
