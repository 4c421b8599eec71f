// aegir zone …, aegir record …
import type { Command } from 'commander';
import { ZoneServiceService as api, Record as RecordMessage, Zone } from '../../../shared/gen/aegir/v1/admin.ts';
import { displayName } from '../../../shared/name.ts';
import { type ChangeFlags, changeOptions, followChange, withChangeFlags } from '../change.ts';
import { listAll } from '../list.ts';
import { durationInSeconds } from '../number.ts';
import { type Column, printList, printOne } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';

const seconds = (n: number | undefined) => `${n ?? 0} s`;

const COLUMNS: readonly Column<Zone>[] = [
  { title: 'zone', value: (zone) => displayName(zone.name) },
  { title: 'state', value: (zone) => zone.state },
  { title: 'service', value: (zone) => zone.service },
  { title: 'ttl', value: ({ values }) => seconds(values?.ttlPolicy === 'low' ? values.lowTtl : values?.ttl) },
  { title: 'signed', value: (zone) => (zone.values?.dnssec ? 'yes' : 'no') },
  { title: 'records', value: (zone) => String(zone.records) },
  { title: 'sites', value: (zone) => String(zone.sites) },
];

const DETAILS: readonly Column<Zone>[] = [
  { title: 'Zone', value: (zone) => displayName(zone.name) },
  { title: 'Id', value: (zone) => zone.id },
  { title: 'State', value: (zone) => zone.state },
  {
    title: 'Service',
    value: (zone) => `${zone.service}${zone.madeHere ? '' : ' (the zone itself is made elsewhere)'}`,
  },
  { title: 'Name servers', value: (zone) => (zone.madeHere ? (zone.values?.nameservers.join(', ') ?? '') : '') },
  { title: 'Contact', value: (zone) => (zone.madeHere ? (zone.values?.contact ?? '') : '') },
  {
    title: 'TTL',
    value: ({ values }) =>
      values?.ttlPolicy === 'low'
        ? `${seconds(values.lowTtl)}, always (policy low)`
        : `${seconds(values?.ttl)}; ${seconds(values?.lowTtl)} from ${seconds(values?.leadSeconds)} before a move`,
  },
  { title: 'Negative TTL', value: (zone) => (zone.madeHere ? seconds(zone.values?.negativeTtl) : '') },
  { title: 'Signed', value: (zone) => (zone.madeHere ? (zone.values?.dnssec ? 'yes' : 'no') : '') },
  { title: 'Records', value: (zone) => String(zone.records) },
  { title: 'Sites', value: (zone) => String(zone.sites) },
];

const RECORDS: readonly Column<RecordMessage>[] = [
  { title: 'name', value: (record) => displayName(record.name) },
  { title: 'ttl', value: (record) => String(record.ttl) },
  { title: 'type', value: (record) => record.type },
  { title: 'data', value: (record) => record.data },
  { title: 'of', value: (record) => (record.site === '' ? '(declared)' : `site ${displayName(record.site)}`) },
];

interface ZoneFlags extends ChangeFlags {
  readonly service?: string;
  readonly ns?: readonly string[];
  readonly contact?: string;
  readonly ttl?: string;
  readonly lowTtl?: string;
  readonly policy?: string;
  readonly lead?: string;
  readonly negativeTtl?: string;
  readonly dnssec?: boolean;
}

function withZoneFlags(command: Command): Command {
  return withChangeFlags(command)
    .option('--ns <names...>', "name servers of the zone, the primary first; a new zone: the server's own name")
    .option('--contact <mail>', 'mail address of who is responsible; a new zone: hostmaster@ZONE')
    .option('--ttl <time>', 'how long resolvers keep what Aegir publishes, seconds or 10m, 2h, 1d; a new zone: 1h')
    .option('--low-ttl <time>', 'the same while a site moves; a new zone: 60 s')
    .option(
      '--policy <policy>',
      'normal, or low: always the low TTL, so that no move waits for the lead (a new zone: normal)',
    )
    .option('--lead <time>', 'how long before a move the TTL is lowered; a new zone: 1d')
    .option('--negative-ttl <time>', 'how long resolvers keep that a name is not there; a new zone: 5m')
    .option('--dnssec', 'sign it')
    .option('--no-dnssec', 'do not sign it');
}

const time = (text: string | undefined, flag: string) =>
  text === undefined ? undefined : durationInSeconds(text, flag, false);

function valuesFrom(flags: ZoneFlags) {
  return {
    nameservers: [...(flags.ns ?? [])],
    contact: flags.contact,
    ttl: time(flags.ttl, '--ttl'),
    lowTtl: time(flags.lowTtl, '--low-ttl'),
    ttlPolicy: flags.policy,
    leadSeconds: time(flags.lead, '--lead'),
    negativeTtl: time(flags.negativeTtl, '--negative-ttl'),
    dnssec: flags.dnssec,
  };
}

export function zoneCommand(cli: Cli, program: Command): void {
  const noun = program.command('zone').description('DNS zones');

  noun
    .command('list')
    .description('list zones')
    .action(async (_, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) => {
        const zones = await listAll(
          (page) => link.call(api.listZones, page),
          (answer) => answer.zones,
        );
        printList(out, zones, Zone.toJSON, COLUMNS, 'No zones yet. Add one with: aegir zone add NAME');
      });
    });

  noun
    .command('show <zone>')
    .description('show one zone')
    .action(async (zone: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) =>
        printOne(out, await link.call(api.getZone, { zone }), Zone.toJSON, DETAILS),
      );
    });

  withZoneFlags(noun.command('add <name>').description('declare a zone, and make it where its engine makes zones'))
    .option('--service <service>', 'dns service; may be left out when one only carries zones')
    .action(async (name: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ZoneFlags>();
      const { contact = '', ttl = 0, lowTtl = 0, ttlPolicy = '', leadSeconds = 0, ...rest } = valuesFrom(flags);
      const { nameservers, negativeTtl = 0, dnssec = false } = rest;
      const values = { nameservers, contact, ttl, lowTtl, ttlPolicy, leadSeconds, negativeTtl, dnssec };
      await followChange(cli, flags, (link) =>
        link.call(api.addZone, { name, service: flags.service ?? '', values, options: changeOptions(flags) }),
      );
    });

  withZoneFlags(noun.command('set <zone>').description('change a zone; what is not said stays')).action(
    async (zone: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ZoneFlags>();
      await followChange(cli, flags, (link) =>
        link.call(api.setZone, { zone, ...valuesFrom(flags), options: changeOptions(flags) }),
      );
    },
  );

  withChangeFlags(noun.command('verify <zone>').description('find drift and mend it; records of others stay')).action(
    async (zone: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags>();
      await followChange(cli, flags, (link) =>
        link.call(api.verifyZone, { zone, confirm: false, options: changeOptions(flags) }),
      );
    },
  );

  withChangeFlags(noun.command('remove <zone>').description('remove a zone; refused while names of sites are in it'))
    .option('--yes', 'do not ask')
    .action(async (zone: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags>();
      await followChange(cli, flags, async (link) => {
        if (flags.plan !== true) {
          const { name } = await link.call(api.getZone, { zone });
          await cli.confirm(`Remove zone ${displayName(name)} with all its records?`, flags.yes === true);
        }
        return link.call(api.removeZone, { zone, confirm: true, options: changeOptions(flags) });
      });
    });
}

export function recordCommand(cli: Cli, program: Command): void {
  const noun = program.command('record').description('DNS records declared in zones');

  noun
    .command('list <zone>')
    .description('list what Aegir publishes in a zone: declared records and those of sites')
    .action(async (zone: string, _, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) => {
        const records = await listAll(
          (page) => link.call(api.listRecords, { ...page, zone }),
          (answer) => answer.records,
        );
        printList(out, records, RecordMessage.toJSON, RECORDS, 'Nothing is published in it yet.');
      });
    });

  withChangeFlags(
    noun
      .command('add <name> <type> <data...>')
      .description('declare a record, for example: add example.org MX 10 mail.example.org'),
  )
    .option('--ttl <time>', "how long resolvers keep it, seconds or 10m, 2h, 1d; left out, the zone's")
    .option('--zone <zone>', 'zone; may be left out: the nearest that holds the name')
    .action(async (name: string, type: string, data: readonly string[], _, command: Command) => {
      const flags = command.optsWithGlobals<ChangeFlags & { ttl?: string; zone?: string }>();
      const ttl = time(flags.ttl, '--ttl') ?? 0;
      await followChange(cli, flags, (link) =>
        link.call(api.addRecord, {
          ...{ name, type, data: data.join(' '), ttl, zone: flags.zone ?? '' },
          options: changeOptions(flags),
        }),
      );
    });

  withChangeFlags(noun.command('remove <name> [type] [data...]').description('take declared records back'))
    .option('--zone <zone>', 'zone; may be left out: the nearest that holds the name')
    .action(
      async (name: string, type: string | undefined, data: readonly string[] | undefined, _, command: Command) => {
        const flags = command.optsWithGlobals<ChangeFlags & { zone?: string }>();
        await followChange(cli, flags, (link) =>
          link.call(api.removeRecord, {
            ...{ name, type: type ?? '', data: (data ?? []).join(' '), zone: flags.zone ?? '' },
            options: changeOptions(flags),
          }),
        );
      },
    );
}
