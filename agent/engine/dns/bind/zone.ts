// Zones of named: made, signed, corrected and removed while it runs.
import { AegirError } from '../../../../shared/error.ts';
import type { ZoneSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Host } from '../../../host/host.ts';
import { waitUntil } from '../../../host/wait.ts';
import type { ActionContext, Change } from '../../engine.ts';
import { GLUE, MARK_TTL, markName, withMark } from '../ownership.ts';
import { transferZone } from '../rfc2136/dig.ts';
import { requireTools } from '../rfc2136/tools.ts';
import { sendUpdate } from '../rfc2136/update.ts';
import { type Contents, contentsOf, type Edit, type RecordRead, type RRset } from '../rrset.ts';
import { apexDrift, checkZone, nameServerData, nextSerial, serialOf, soaData } from '../soa.ts';
import { type NamedConf, type ZoneConf, zoneClause } from './conf.ts';
import { must, type Named, namedOf, readConf, updatesOf, zoneConf, zoneDirectory, zoneFile } from './named.ts';

const READ_MS = 20_000;
const CLEAN_MS = 10_000;

interface Scene {
  readonly host: Host;
  readonly named: Named;
  readonly conf: NamedConf;
}

export async function planBindZone(zone: ZoneSpec, ctx: ActionContext): Promise<readonly Change[]> {
  checkZone(zone);
  const doing = `make zone ${zone.name}`;
  const scene = await sceneOf(ctx, doing);
  await requireTools(ctx.host, doing);
  const there = await zoneConf(scene.host, scene.named, zone.name, ctx.signal);
  const glue = await glueOf(zone, ctx.host);
  if (there === undefined) return [makeZone(zone, glue, scene, ctx)];
  refuseOthers(zone.name, there, scene.conf);
  const changes: Change[] = [];
  const policy = policyOf(zone, there);
  if (policy !== there.policy || !there.updates || !there.transfers) changes.push(modify(zone, there, policy, scene));
  const contents = contentsOf(await readZone(zone.name, scene, ctx.signal));
  return [...changes, ...apexChanges(zone, glue, contents, scene, ctx)];
}

export async function removeBindZone(name: string, ctx: ActionContext): Promise<readonly Change[]> {
  const scene = await sceneOf(ctx, `remove zone ${name}`);
  const { host, named, conf } = scene;
  const there = await zoneConf(host, named, name, ctx.signal);
  if (there === undefined) return [];
  refuseOthers(name, there, conf);
  return [
    {
      summary: `remove zone ${name} with everything in it`,
      async run({ signal }) {
        const doing = `remove zone ${name}`;
        await must(host, named, ['delzone', '-clean', name], doing, signal);
        // named removes the files a little later; a zone of that name that is made anew must find none of them.
        const file = zoneFile(conf, name);
        const gone = await waitUntil(async () => !(await host.files.exists(file)), CLEAN_MS);
        if (!gone) throw new AegirError('unavailable', `cannot ${doing}: BIND has not removed ${file} yet`);
        await removeLeftovers(name, scene);
      },
    },
  ];
}

async function sceneOf({ host, signal }: ActionContext, doing: string): Promise<Scene> {
  const named = await namedOf(host, doing);
  return { host, named, conf: await readConf(host, named, signal) };
}

function refuseOthers(name: string, there: ZoneConf, conf: NamedConf): void {
  if (there.file === zoneFile(conf, name)) return;
  throw new AegirError(
    'failed_precondition',
    `cannot change zone ${name}: somebody else made it in BIND (${there.file ?? 'without a file'}); remove it there first`,
    { untouched: true },
  );
}

/** A zone that was signed is let go of slowly: "none" at once would leave signatures that nobody renews. */
function policyOf(zone: ZoneSpec, there: ZoneConf | undefined): string {
  if (zone.dnssec) return 'default';
  return there?.policy === undefined || there.policy === 'none' ? 'none' : 'insecure';
}

function modify(zone: ZoneSpec, there: ZoneConf, policy: string, { host, named, conf }: Scene): Change {
  const how: Readonly<Record<string, string>> = {
    default: 'sign',
    insecure: 'stop signing',
    none: 'let Aegir change',
  };
  const what = policy === there.policy ? 'let Aegir change' : how[policy];
  const more = policy === 'insecure' ? '; remove its DS record from the parent zone' : '';
  return {
    summary: `${what} zone ${zone.name}${more}`,
    run: ({ signal }) => {
      const clause = zoneClause(zoneFile(conf, zone.name), policy, conf);
      return must(host, named, ['modzone', zone.name, clause], `change zone ${zone.name}`, signal);
    },
  };
}

/** Addresses for those name servers within the zone that it has none for: BIND takes no zone without them. */
interface Glue {
  readonly name: string;
  readonly addresses: readonly string[];
}

async function glueOf(zone: ZoneSpec, host: Host): Promise<Glue | undefined> {
  const [primary = ''] = zone.nameservers;
  if (!isWithin(primary, zone.name)) return undefined;
  // The primary is this server.
  return { name: primary, addresses: (await host.identity()).addresses };
}

function isWithin(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}

function glueSets(zone: ZoneSpec, glue: Glue | undefined, contents: Contents): readonly RRset[] {
  if (glue === undefined || hasAddress(glue.name, contents)) return [];
  const { name } = glue;
  const of = (type: string, is: (address: string) => boolean): readonly RRset[] => {
    const data = glue.addresses.filter(is).sort();
    return data.length === 0 ? [] : [{ name, type, ttl: zone.ttl, data }];
  };
  const sets = [...of('A', (each) => !each.includes(':')), ...of('AAAA', (each) => each.includes(':'))];
  const marks = contents.get(markName(name), 'TXT');
  const mark = withMark(name, marks, { owner: zone.zoneId, types: [GLUE] });
  return sets.length === 0 || mark === undefined ? [] : [...sets, mark];
}

function hasAddress(name: string, contents: Contents): boolean {
  return contents.get(name, 'A') !== undefined || contents.get(name, 'AAAA') !== undefined;
}

/** Those that the zone can name now: of its own names those with an address. */
function usable(zone: ZoneSpec, sets: readonly RRset[], contents: Contents, ctx: ActionContext): readonly string[] {
  const names = zone.nameservers.filter(
    (name) => !isWithin(name, zone.name) || hasAddress(name, contents) || sets.some((set) => set.name === name),
  );
  const left = zone.nameservers.filter((name) => !names.includes(name));
  if (names.length === 0) {
    const why = `none of its name servers ${left.join(', ')} has an address in it`;
    throw new AegirError('failed_precondition', `cannot make zone ${zone.name}: ${why}; name one outside of the zone`);
  }
  for (const name of left) {
    ctx.log(
      'warn',
      `${name} is no name server of ${zone.name} yet: it has no address there; set one, then verify again`,
    );
  }
  return names;
}

function makeZone(zone: ZoneSpec, glue: Glue | undefined, scene: Scene, ctx: ActionContext): Change {
  const { host, named, conf } = scene;
  const nothing = contentsOf([]);
  const sets = glueSets(zone, glue, nothing);
  const names = nameServerData(usable(zone, sets, nothing, ctx));
  const policy = policyOf(zone, undefined);
  const lines = [
    `${zone.name}. ${zone.ttl} IN SOA ${soaData(zone, 1)}`,
    ...names.map((name) => `${zone.name}. ${zone.ttl} IN NS ${name}`),
    ...sets.flatMap((set) => set.data.map((data) => `${set.name}. ${set.ttl ?? MARK_TTL} IN ${set.type} ${data}`)),
  ];
  const { user } = named.daemon;
  return {
    summary: `make zone ${zone.name} with name servers ${names.join(', ')}${zone.dnssec ? ', signed' : ''}`,
    async run({ signal }) {
      await updatesOf(host, named, conf);
      await removeLeftovers(zone.name, scene);
      const file = zoneFile(conf, zone.name);
      const owner = user === '' ? {} : { owner: user, group: user };
      await host.files.write(file, `${lines.join('\n')}\n`, { mode: 0o640, ...owner });
      await must(host, named, ['addzone', zone.name, zoneClause(file, policy, conf)], `make zone ${zone.name}`, signal);
    },
  };
}

function apexChanges(
  zone: ZoneSpec,
  glue: Glue | undefined,
  contents: Contents,
  { host, named, conf }: Scene,
  ctx: ActionContext,
): readonly Change[] {
  const sets = glueSets(zone, glue, contents);
  const names = usable(zone, sets, contents, ctx);
  const { words, soa, ns } = apexDrift(zone, names, contents);
  if (words.length === 0) return [];
  return [
    {
      summary: `set at ${zone.name}: ${words.join('; ')}`,
      async run({ signal }) {
        const { name, ttl } = zone;
        const serial = nextSerial(serialOf(soa?.data[0] ?? ''));
        const edits: Edit[] = [
          ...sets.map((set) => ({ ...set, before: contents.get(set.name, set.type), after: set })),
          { name, type: 'NS', before: ns, after: { name, type: 'NS', ttl, data: nameServerData(names) } },
          { name, type: 'SOA', before: soa, after: { name, type: 'SOA', ttl, data: [soaData(zone, serial)] } },
        ];
        await sendUpdate(host, await updatesOf(host, named, conf), name, edits, signal);
      },
    },
  ];
}

async function readZone(
  zone: string,
  { host, named, conf }: Scene,
  signal: AbortSignal,
): Promise<readonly RecordRead[]> {
  return transferZone({ host, server: await updatesOf(host, named, conf), withinMs: READ_MS }, zone, signal);
}

/** Files of a zone that named does not have: its text, its journals, its keys. */
/** What named puts beside a zone's file. */
const LEFTOVERS = ['', '.jnl', '.jbk', '.signed', '.signed.jnl', '.mkeys', '.mkeys.jnl'] as const;

async function removeLeftovers(zone: string, { host, conf }: Scene): Promise<void> {
  const directory = zoneDirectory(conf);
  for (const name of await host.files.list(directory)) {
    // Exactly its own: "example.zone" is another zone, whose file begins like those of "example".
    const its = LEFTOVERS.some((suffix) => name === `${zone}.zone${suffix}`) || name.startsWith(`K${zone}.+`);
    if (its) await host.files.remove(`${directory}/${name}`);
  }
}
