// Which names complete a command line, and what they are: asked from the master, quickly or not at all.
import type { Command, Option } from 'commander';
import {
  ClientServiceService,
  ClusterServiceService,
  PlatformServiceService,
  ServerServiceService,
  ServiceServiceService,
  SiteServiceService,
  TaskServiceService,
  TokenServiceService,
  ZoneServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import { BackupServiceService } from '../../shared/gen/aegir/v1/backup_admin.ts';
import { displayName } from '../../shared/name.ts';
import type { Connection } from './connection.ts';

const KINDS = [
  'server',
  'service',
  'cluster',
  'platform',
  'site',
  'backup',
  'zone',
  'client',
  'task',
  'token',
  'context',
] as const;
export type NameKind = (typeof KINDS)[number];

const PAGE = { pageSize: 200, pageToken: '' };

/** What is named next after these words; undefined where no name is expected. */
export function nameAfter(program: Command, words: readonly string[]): NameKind | undefined {
  let command = program;
  let taken = 0;
  let expecting: Option | undefined;
  for (const word of words) {
    if (expecting !== undefined) {
      expecting = undefined;
      continue;
    }
    if (word.startsWith('-')) {
      const option = [...command.options, ...program.options].find((each) => each.long === word || each.short === word);
      if (option?.required === true || option?.optional === true) expecting = option;
      continue;
    }
    const sub = command.commands.find((each) => each.name() === word);
    if (sub === undefined) taken += 1;
    else {
      command = sub;
      taken = 0;
    }
  }
  if (expecting !== undefined) return kindOf(expecting.attributeName());
  if (command.commands.length > 0) return undefined;
  const argument = command.registeredArguments[taken];
  // "context use NAME" and "site install NAME" both say name: only one of them is of something that is there.
  if (argument?.name() === 'name' && command.parent?.name() === 'context' && command.name() !== 'add') return 'context';
  return argument === undefined ? undefined : kindOf(argument.name());
}

function kindOf(word: string): NameKind | undefined {
  if (word === 'db' || word === 'dns' || word === 'head') return 'service';
  if (word === 'front' || word === 'sender' || word === 'receiver' || word === 'drillServer') return 'server';
  return KINDS.find((kind) => kind === word);
}

export async function namesOf(link: Connection, kind: Exclude<NameKind, 'context'>): Promise<readonly string[]> {
  switch (kind) {
    case 'server':
      return (await link.call(ServerServiceService.listServers, PAGE)).servers.map(({ name }) => name);
    case 'service':
      return (await link.call(ServiceServiceService.listServices, { ...PAGE, server: '', type: '' })).services.map(
        ({ name }) => name,
      );
    case 'cluster':
      return (await link.call(ClusterServiceService.listClusters, PAGE)).clusters.map(({ name }) => name);
    case 'platform':
      return (await link.call(PlatformServiceService.listPlatforms, PAGE)).platforms.map(({ name }) => name);
    case 'site':
      return (await link.call(SiteServiceService.listSites, { ...PAGE, client: '', platform: '' })).sites.map(
        ({ name }) => displayName(name),
      );
    case 'backup':
      return (await link.call(BackupServiceService.listBackups, { ...PAGE, site: '', service: '' })).backups.map(
        ({ id }) => id,
      );
    case 'zone':
      return (await link.call(ZoneServiceService.listZones, PAGE)).zones.map(({ name }) => displayName(name));
    case 'client':
      return (await link.call(ClientServiceService.listClients, PAGE)).clients.map(({ name }) => name);
    case 'task':
      return (await link.call(TaskServiceService.listTasks, { ...PAGE, state: '', subjectId: '' })).tasks.map(
        ({ id }) => id,
      );
    case 'token':
      return (await link.call(TokenServiceService.listTokens, PAGE)).tokens.map(({ id }) => id);
  }
}
