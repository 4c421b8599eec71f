// Every verb with a task: the plan, what stands before it, and what shall stand after it has succeeded or was undone.
import { createGraph, type Graph, type GraphSnapshot } from '../../graph/graph.ts';
import { planEnableService, planVerifyPlatform, planVerifyServer } from '../../plan/change-server.ts';
import {
  planCronSite,
  planDeleteSite,
  planDisableSite,
  planEnableSite,
  planLoginSite,
  planVerifySite,
} from '../../plan/change-site.ts';
import { planCertifySite, planSetSite, valuesOfSite } from '../../plan/change-site-web.ts';
import { planInstallSite } from '../../plan/install-site.ts';
import { planTestMesh } from '../../plan/mesh.ts';
import type { Plan } from '../../plan/plan.ts';
import { planRebindDns } from '../../plan/rebind-site.ts';
import type { PlatformRecord, ServiceRecord, SiteRecord, ZoneRecord } from '../../store/model.ts';
import type { BackupRecord } from '../../store/model-backup.ts';
import type { Store } from '../../store/store.ts';
import { backupCases } from './backup-cases.ts';
import { cloneCases } from './clone-cases.ts';
import { clusterCases } from './cluster-cases.ts';
import { fileCases } from './file-cases.ts';
import { moveCases } from './move-cases.ts';
import { rebindCases } from './rebind-cases.ts';
import type { ScriptAgents } from './script-agents.ts';
import { spreadCases } from './spread-cases.ts';
import { zoneCases } from './zone-cases.ts';

/** What stands before a task: records, and secrets that no record names yet. */
export type Ground = GraphSnapshot & {
  readonly secrets?: readonly string[];
  readonly backups?: readonly BackupRecord[];
};

export interface TaskCase {
  readonly name: string;
  readonly plan: Plan;
  readonly ground: Ground;
  /** On the hosts before, when done, when undone. */
  readonly world: readonly string[];
  readonly doneWorld: readonly string[];
  readonly undoneWorld: readonly string[];
  /** In the graph when done and when undone; see graphLines. */
  readonly done: readonly string[];
  readonly undone: readonly string[];
  /** Of each backup that a store has, its parts as words; see script-parts.ts. */
  readonly kept?: Readonly<Record<string, string>>;
}

/** snapshot: web1 with http and dns, db1 with a database, one enabled site on one verified platform. */
export function taskCases(snapshot: GraphSnapshot, graphOf: (patch?: Partial<GraphSnapshot>) => Graph): TaskCase[] {
  const [site] = snapshot.sites as [SiteRecord];
  const [platform] = snapshot.platforms as [PlatformRecord];
  const [nginx] = snapshot.services as [ServiceRecord];
  const [web1, db1] = snapshot.servers.map((server) => server.id) as [string, string];
  const at = `site/${site.id}`;
  const parts = [`${db1} db ${at}`, `${web1} dns ${at}`, `${web1} files ${at}`];
  const served = [...parts, `${web1} http ${at} enabled, cron 900`].sort();
  // The agent of a disabled site runs none, whatever it is told.
  const hidden = [...parts, `${web1} http ${at} disabled, cron 900`].sort();

  const ground = (patch: Partial<GraphSnapshot>): GraphSnapshot => ({ ...snapshot, ...patch });
  const siteIn = (state: SiteRecord['state']) => ground({ sites: [{ ...site, state }] });
  const still = (name: string, plan: Plan, from: GraphSnapshot, world: readonly string[]): TaskCase => {
    const lines = linesOf(from);
    return { name, plan, ground: from, world, doneWorld: world, undoneWorld: world, done: lines, undone: lines };
  };
  const graph = graphOf();
  const installing = { ...site, state: 'installing' as const };
  const disabled = { ...site, state: 'disabled' as const };
  const detected = { ...nginx, state: 'detected' as const, stateBefore: 'detected' as const };
  const services = snapshot.services.map((service) => (service === nginx ? detected : service));
  const bare = ground({ sites: [], platforms: [{ ...platform, app: '', state: 'new' }] });
  const without = linesOf(ground({ sites: [] }));
  const byHand: ServiceRecord = {
    ...(snapshot.services[2] as ServiceRecord),
    id: 'svc-0123456789abcdez',
    instance: 'other',
  };
  const others = ground({ services: [...snapshot.services, byHand] });

  return [
    {
      ...still('install', planInstallSite(graph, installing, true), siteIn('installing'), []),
      ...{ doneWorld: served, done: linesOf(siteIn('enabled')), undone: without },
    },
    {
      ...still('delete', planDeleteSite(graph, site), siteIn('enabled'), served),
      ...{ doneWorld: [], done: without },
    },
    {
      ...still('disable', planDisableSite(graph, site), siteIn('enabled'), served),
      ...{ doneWorld: hidden, done: linesOf(siteIn('disabled')) },
    },
    {
      ...still('enable', planEnableSite(graph, disabled), siteIn('disabled'), hidden),
      ...{ doneWorld: served, done: linesOf(siteIn('enabled')) },
    },
    still('verify', planVerifySite(graph, site), siteIn('enabled'), served),
    {
      ...still('rebind to another dns service', planRebindDns(graphOf(others), site, byHand), others, served),
      done: linesOf({ ...others, sites: [{ ...site, bindings: { ...site.bindings, dns: byHand.id } }] }),
    },
    still('cron', planCronSite(graph, site), siteIn('enabled'), served),
    still('login', planLoginSite(graph, site, ''), siteIn('enabled'), served),
    still('verify of a web server', planVerifyServer(graph, graph.server(web1)), snapshot, served),
    still('verify of a database server', planVerifyServer(graph, graph.server(db1)), snapshot, served),
    {
      ...still('service enable', planEnableService(graph, detected), ground({ sites: [], services }), []),
      done: without,
    },
    {
      ...still('platform add', planVerifyPlatform(graph, { ...platform, app: '', state: 'new' }, true), bare, []),
      ...{ done: without, undone: linesOf({ ...bare, platforms: [] }) },
    },
    still('platform verify', planVerifyPlatform(graph, platform, false), snapshot, served),
    still('mesh test', planTestMesh(graph, graph.server(db1), graph.server(web1), 1024), snapshot, served),
    ...webCases(snapshot, served),
    ...[
      ...[
        ...zoneCases(snapshot, served),
        ...rebindCases(snapshot, served),
        ...clusterCases(snapshot),
        ...spreadCases(snapshot),
        ...fileCases(snapshot, served),
      ],
      ...[...backupCases(snapshot, served), ...cloneCases(snapshot, served)],
      ...moveCases(snapshot),
    ].map(({ plan, world, done, undone, ...of }) => ({
      ...{ ...of, plan, world, undoneWorld: world, done: linesOf(done), undone: linesOf(undone) },
    })),
  ];
}

/** How a site is served: names, HTTPS, a certificate of the authority. */
function webCases(snapshot: GraphSnapshot, served: readonly string[]): TaskCase[] {
  const [site] = snapshot.sites as [SiteRecord];
  const at = (patch: Partial<SiteRecord>): GraphSnapshot => ({ ...snapshot, sites: [{ ...site, ...patch }] });
  const made = (issuer: string) => ({
    ...{ source: 'self-signed' as const, names: [site.name, ...site.aliases], notBefore: 0, issuer },
    ...{ notAfter: Number.MAX_SAFE_INTEGER, chainPem: 'x', keySecret: 'sec-9999999999999999' },
  });
  const https = { ...site.web, https: 'self-signed' as const, redirect: true, redirectTo: site.name };
  const acme = at({ web: { ...https, https: 'acme' }, certificate: made('itself') });
  const own = { ...made('somebody'), source: 'own' as const, keySecret: 'sec-0123456789abcdf7' };
  const withOwn = at({ web: { ...https, https: 'own' }, certificate: own });
  const newOwn = { ...own, issuer: 'another', keySecret: 'sec-0123456789abcdf8' };
  // The key of the new one is saved with the task.
  const uploaded = { ...withOwn, secrets: [newOwn.keySecret] };
  const user = (name: string, secret: string) => ({ name, secret });
  const [anne, bert, anneAgain] = ['a', 'b', 'c'].map((last) => `sec-0123456789abcde${last}`) as [
    string,
    string,
    string,
  ];
  const snippet = { engine: 'nginx', text: 'add_header X-A b;\n' };
  const closed = at({ auth: { realm: 'Staff', users: [user('anne', anne), user('bert', bert)] }, snippet });
  const auth = { realm: 'Staff', users: [user('anne', anneAgain)] };
  // So are the hashes of new passwords.
  const given = { ...closed, secrets: [anneAgain] };
  const zone: ZoneRecord = {
    ...{ id: 'zone-0123456789abcdec', name: 'example.org', serviceId: site.bindings.dns ?? '', state: 'active' },
    ...{ nameservers: [], contact: '', ttl: 300, lowTtl: 60, ttlPolicy: 'normal', leadSeconds: 0, negativeTtl: 60 },
    ...{ dnssec: false, createdAt: 4 },
  };
  const byDns = (from: GraphSnapshot): GraphSnapshot => ({
    ...from,
    sites: from.sites.map((each) => ({ ...each, web: { ...https, https: 'acme-dns' } })),
    zones: [zone],
  });
  const graphOf = (from: GraphSnapshot) => createGraph(from);
  const siteOf = (from: GraphSnapshot) => from.sites[0] as SiteRecord;
  const often = (line: string) => line.replace('cron 900', 'cron 60');
  const same = { world: served, doneWorld: served, undoneWorld: served };
  return [
    {
      ...{ name: 'site set', ground: snapshot, ...same, doneWorld: served.map(often) },
      plan: planSetSite(graphOf(snapshot), site, {
        ...{ aliases: ['other.example.org'], web: https, cronSeconds: 60 },
      }),
      done: linesOf(at({ aliases: ['other.example.org'], web: https, cronSeconds: 60, certificate: made('itself') })),
      undone: linesOf(snapshot),
    },
    {
      ...{ name: 'site set with a certificate', ground: uploaded, ...same },
      plan: planSetSite(graphOf(withOwn), siteOf(withOwn), { ...valuesOfSite(siteOf(withOwn)), certificate: newOwn }),
      done: linesOf(at({ web: { ...https, https: 'own' }, certificate: newOwn })),
      undone: linesOf(withOwn),
    },
    {
      ...{ name: 'site set with another password, without a user and the snippet', ground: given, ...same },
      plan: planSetSite(graphOf(closed), siteOf(closed), { ...valuesOfSite(siteOf(closed)), auth, snippet: null }),
      done: linesOf(at({ auth, snippet: null })),
      undone: linesOf(closed),
    },
    {
      ...{ name: 'site set open to everybody', ground: closed, ...same },
      plan: planSetSite(graphOf(closed), siteOf(closed), { ...valuesOfSite(siteOf(closed)), auth: null }),
      done: linesOf(at({ snippet })),
      undone: linesOf(closed),
    },
    {
      ...{ name: 'site certify', ground: acme, ...same },
      plan: planCertifySite(graphOf(acme), siteOf(acme)),
      done: linesOf(at({ web: { ...https, https: 'acme' }, certificate: made('authority') })),
      undone: linesOf(acme),
    },
    {
      ...{ name: 'site certify by DNS', ground: byDns(acme), ...same },
      plan: planCertifySite(graphOf(byDns(acme)), siteOf(byDns(acme))),
      done: linesOf(byDns(at({ certificate: made('authority') }))),
      undone: linesOf(byDns(acme)),
    },
  ];
}

/** What the graph says, one line a record, secrets by their id. */
export async function graphLines(store: Store): Promise<string[]> {
  const [servers, services, platforms, sites, zones, records, heads] = await Promise.all([
    ...[store.servers.find(), store.services.find(), store.platforms.find(), store.sites.find()],
    ...[store.zones.find(), store.records.find(), store.heads.find()],
  ] as const);
  const secrets = (await store.secrets.find()).map((secret) => secret.id);
  const backups = await store.backups.find();
  const snapshot = { servers, services, platforms, sites, clients: [], zones, records, heads, backups };
  return lines(snapshot, secrets, (await store.storeHolds.find()).length);
}

export function worldLines(agents: ScriptAgents): string[] {
  return [...agents.world].sort();
}

function linesOf(snapshot: Ground): string[] {
  const secrets = [
    ...snapshot.sites.flatMap((site) => [
      site.saltSecret,
      ...[site.dbPasswordSecret, site.certificate?.keySecret].filter((id) => typeof id === 'string'),
      ...(site.auth?.users.map(({ secret }) => secret) ?? []),
    ]),
    ...snapshot.services.flatMap((service) => Object.values(service.secrets)),
  ];
  return lines(snapshot, secrets, 0);
}

function lines(snapshot: Ground, secrets: readonly string[], holds: number): string[] {
  return [
    ...snapshot.servers.map((server) => `server ${server.id} ${server.state}`),
    ...snapshot.services.map(
      ({ id, state, stateBefore, settings, secrets: own }) =>
        `service ${id} ${state} ${stateBefore} ${JSON.stringify([settings, own])}`,
    ),
    ...snapshot.platforms.map((platform) => `platform ${platform.id} ${platform.state} ${platform.app}`),
    ...snapshot.sites.map(
      ({ id, state, aliases, web, cronSeconds, certificate, issuing, auth, snippet, platformId, bindings, ...site }) =>
        `site ${id} ${state} ${aliases.join()} ${web.https} ${cronSeconds} ${certificate?.issuer ?? '-'} ${issuing?.orderUrl ?? '-'} ` +
        JSON.stringify([auth, snippet, platformId, bindings.http, bindings.db, bindings.dns, site.dnsByHand]) +
        (site.spread === null ? '' : ` ${site.spread.writer} ${site.spread.kept.join()}`),
    ),
    ...snapshot.zones.map((zone) => `zone ${zone.id} ${zone.state} ${zone.ttl} ${zone.dnssec}`),
    ...snapshot.records.map(({ id, name, type, data }) => `record ${id} ${name} ${type} ${data}`),
    ...snapshot.heads.map(({ id, serviceId, state }) => `head ${id} ${serviceId} ${state}`),
    // What half a backup left in its store is named until it is pruned; how far it came is chance.
    ...(snapshot.backups ?? [])
      .filter(({ id, state }) => state !== 'deleting' || !/^bak-9+$/.test(id))
      .map(({ id, state, digest }) => `backup ${id} ${state} ${digest.slice(0, 4)}`),
    `holds ${holds}`,
    // Which ids new ones got is chance.
    ...secrets.map((id) => `secret ${/^sec-9+/.test(id) ? 'made' : id}`),
  ].sort();
}
