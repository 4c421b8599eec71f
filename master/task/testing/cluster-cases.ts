// The verbs of clusters, as cases.ts has those of sites and servers: a front, two heads that share files, one site.
import { createGraph, type GraphSnapshot } from '../../graph/graph.ts';
import {
  planActivateHead,
  planAddHead,
  planCreateCluster,
  planDeleteCluster,
  planDrainHead,
  planRemoveHead,
  planVerifyCluster,
} from '../../plan/change-cluster.ts';
import { planDeleteSite } from '../../plan/change-site.ts';
import { planInstallSite } from '../../plan/install-site.ts';
import type { Plan } from '../../plan/plan.ts';
import { planRebindFront } from '../../plan/rebind-site.ts';
import type { HeadRecord, PlatformRecord, ServerRecord, ServiceRecord, SiteRecord } from '../../store/model.ts';

export interface ClusterCase {
  readonly name: string;
  readonly plan: Plan;
  readonly ground: GraphSnapshot;
  readonly world: readonly string[];
  readonly doneWorld: readonly string[];
  readonly done: GraphSnapshot;
  readonly undone: GraphSnapshot;
}

export function clusterCases(snapshot: GraphSnapshot): readonly ClusterCase[] {
  const [web1] = snapshot.servers as [ServerRecord];
  const [nginx, mariadb] = snapshot.services as [ServiceRecord, ServiceRecord];
  const [wordpress] = snapshot.platforms as [PlatformRecord];
  const [plain] = snapshot.sites as [SiteRecord];
  const another = (n: number, name: string): ServerRecord => ({
    ...web1,
    ...{ id: `srv-0123456789abcdx${n}`, name, certificateExpiresAt: web1.certificateExpiresAt },
    facts: { ...web1.facts, addresses: [`192.0.2.${n}`], sourceAddresses: [`192.0.2.${n}`] },
  });
  const front = another(1, 'front1');
  const web2 = another(2, 'web2');
  const second: ServiceRecord = { ...nginx, id: 'svc-0123456789abcdx2', serverId: web2.id };
  const cluster: ServiceRecord = {
    ...{ ...nginx, id: 'svc-0123456789abcdx1', serverId: front.id, engine: 'cluster', instance: 'pool' },
    detected: { ...nginx.detected, engine: 'cluster', instance: 'pool' },
    ...{ origin: 'declared', settings: { share: 'common' } },
  };
  const mount = (serverId: string, n: number): ServiceRecord => ({
    ...{ ...nginx, id: `svc-0123456789abcdy${n}`, serverId, type: 'file', engine: 'mount', instance: 'common' },
    detected: { ...nginx.detected, type: 'file', engine: 'mount', instance: 'common', ports: [] },
    ...{ origin: 'declared', settings: { share: 'common', path: '/srv/common' } },
  });
  const head = (n: number, service: ServiceRecord, state: HeadRecord['state']): HeadRecord => ({
    ...{ id: `head-0123456789abcdx${n}`, clusterId: cluster.id, serviceId: service.id, state, weight: 1 },
  });
  const facts = {
    app: 'wordpress',
    version: '6.1.1',
    docroot: '/usr/share/wordpress',
    phpMinimum: '',
    profiles: [],
    languages: [],
  };
  const platform: PlatformRecord = { ...wordpress, serviceId: cluster.id, facts };
  const site: SiteRecord = { ...plain, uid: 480_000, bindings: { http: cluster.id, db: mariadb.id } };

  const ground = (heads: readonly HeadRecord[], patch: Partial<GraphSnapshot> = {}): GraphSnapshot => ({
    ...{ ...snapshot, servers: [...snapshot.servers, front, web2], platforms: [platform], sites: [site], heads },
    services: [...snapshot.services, second, cluster, mount(web1.id, 1), mount(web2.id, 2)],
    ...patch,
  });
  const at = `site/${site.id}`;
  const state = (...heads: readonly (readonly [ServiceRecord, string])[]) =>
    `${front.id} cluster service/${cluster.id} ${heads.map(([{ id }, is]) => `${id} ${is}`).join()}`;
  const grants = (...from: readonly string[]) =>
    `${mariadb.serverId} db ${at}${from.length > 1 ? ` ${from.join()}` : ''}`;
  // Of all heads one runs the site's cron.
  const on = (serverId: string, cron = serverId === web1.id ? '900' : 'off') => [
    `${serverId} files ${at}`,
    `${serverId} http ${at} enabled, cron ${cron}`,
  ];
  const common = [`shared files ${at}`, `${front.id} http ${at} enabled, cron off`];
  const [a, b] = [web1.facts.sourceAddresses[0] ?? '', web2.facts.sourceAddresses[0] ?? ''];
  const sorted = (...lines: readonly string[]) => [...lines].sort();
  const one = sorted(...common, ...on(web1.id), grants(a), state([nginx, 'active']));
  const both = (is: string) =>
    sorted(...common, ...on(web1.id), ...on(web2.id), grants(a, b), state([nginx, 'active'], [second, is]));

  const [first, active] = [head(1, nginx, 'active'), head(2, second, 'active')];
  const joining = head(2, second, 'joining');
  const out = head(2, second, 'out');
  const graphOf = createGraph;
  const two = ground([first, active]);
  const drained = ground([first, out]);
  const installing = { ...site, state: 'installing' as const };
  const bare = ground([head(1, nginx, 'joining'), joining], {
    ...{ platforms: [], sites: [] },
    services: ground([]).services.map((each) =>
      each.id === cluster.id ? { ...each, state: 'detected', stateBefore: 'detected' } : each,
    ),
  });
  const empty = ground([first, active], { platforms: [], sites: [] });
  const without = { services: ground([]).services.filter((each) => each.id !== cluster.id), heads: [] };
  const drain = planDrainHead(graphOf(two), cluster, active, 0, false);
  // Bound visitors are waited for by the clock; here their time is over at once.
  const php: PlatformRecord = { ...platform, app: 'php' };
  const patient = planDrainHead(graphOf(ground([first, active], { platforms: [php] })), cluster, active, 60, false);
  const hurried = patient.steps.map((step) =>
    step.kind === 'cluster.pause' ? { ...step, args: { ...step.args, seconds: 0 } } : step,
  );

  // A second front for the same heads, with the same code behind it.
  const front2 = another(3, 'front2');
  const pool2: ServiceRecord = {
    ...{ ...cluster, id: 'svc-0123456789abcdx4', serverId: front2.id, instance: 'pool2' },
    detected: { ...cluster.detected, instance: 'pool2' },
  };
  const platform2: PlatformRecord = { ...platform, id: 'plat-0123456789abcdx4', name: 'again', serviceId: pool2.id };
  const [, , byHand] = snapshot.services as [ServiceRecord, ServiceRecord, ServiceRecord];
  const named: SiteRecord = { ...site, bindings: { ...site.bindings, dns: byHand.id } };
  const moved: SiteRecord = {
    ...{ ...named, platformId: platform2.id, bindings: { ...named.bindings, http: pool2.id } },
  };
  const fronts = (one: SiteRecord): GraphSnapshot => ({
    ...ground([], { sites: [one], platforms: [platform, platform2] }),
    ...{ servers: [...two.servers, front2], services: [...two.services, pool2] },
    heads: [
      ...[first, active],
      ...[first, active].map((each, n) => ({ ...each, id: `head-0123456789abcdy${n}`, clusterId: pool2.id })),
    ],
  });
  const led = (from: ServerRecord) =>
    sorted(
      ...[`shared files ${at}`, `${from.id} http ${at} enabled, cron off`, `${byHand.serverId} dns ${at}`],
      ...[...on(web1.id), ...on(web2.id), grants(a, b)],
    );

  return [
    {
      ...{ name: 'site rebind to another front', ground: fronts(named), world: led(front) },
      plan: planRebindFront(graphOf(fronts(named)), named, pool2, platform2, 0),
      ...{ doneWorld: led(front2), done: fronts(moved), undone: fronts(named) },
    },
    {
      ...{ name: 'cluster create', ground: bare, world: [] },
      plan: planCreateCluster(graphOf(bare), { ...cluster, state: 'detected' }, bare.heads),
      doneWorld: [state([nginx, 'active'], [second, 'active'])],
      ...{ done: empty, undone: { ...bare, ...without } },
    },
    {
      ...{ name: 'install on a cluster', ground: ground([first, active], { sites: [installing] }) },
      plan: planInstallSite(graphOf(two), installing, true),
      world: [state([nginx, 'active'], [second, 'active'])],
      ...{ doneWorld: both('active'), done: two, undone: ground([first, active], { sites: [] }) },
    },
    {
      ...{ name: 'delete on a cluster', ground: two, plan: planDeleteSite(graphOf(two), site) },
      world: both('active'),
      doneWorld: [state([nginx, 'active'], [second, 'active'])],
      ...{ done: ground([first, active], { sites: [] }), undone: two },
    },
    {
      ...{ name: 'cluster add', ground: ground([first, joining]) },
      plan: planAddHead(graphOf(ground([first, joining])), cluster, joining),
      ...{ world: one, doneWorld: both('active'), done: two, undone: ground([first]) },
    },
    {
      ...{ name: 'cluster drain', plan: drain, ground: two, world: both('active'), doneWorld: both('out') },
      ...{ done: drained, undone: two },
    },
    {
      ...{ name: 'cluster drain with patience', plan: { ...patient, steps: hurried } },
      ...{ ground: two, world: both('active'), doneWorld: both('out'), done: drained, undone: two },
    },
    {
      ...{ name: 'cluster activate', plan: planActivateHead(graphOf(drained), cluster, out, false) },
      ...{ ground: drained, world: both('out'), doneWorld: both('active'), done: two, undone: drained },
    },
    {
      ...{ name: 'cluster remove', plan: planRemoveHead(graphOf(two), cluster, active, 0, false) },
      ...{ ground: two, world: both('active'), doneWorld: one, done: ground([first]), undone: two },
    },
    {
      ...{ name: 'cluster remove of the head that runs cron', ground: two, world: both('active') },
      plan: planRemoveHead(graphOf(two), cluster, first, 0, false),
      doneWorld: sorted(...common, ...on(web2.id, '900'), grants(b), state([second, 'active'])),
      ...{ done: ground([active]), undone: two },
    },
    {
      ...{ name: 'cluster remove of an abandoned head' },
      plan: planRemoveHead(graphOf(two), cluster, active, 0, true),
      ...{ ground: two, world: both('active'), doneWorld: sorted(...one, ...on(web2.id)) },
      ...{ done: ground([first]), undone: two },
    },
    {
      ...{ name: 'cluster verify', plan: planVerifyCluster(graphOf(two), cluster), ground: two },
      ...{ world: both('active'), doneWorld: both('active'), done: two, undone: two },
    },
    {
      ...{ name: 'cluster delete', plan: planDeleteCluster(graphOf(empty), cluster), ground: empty },
      ...{ world: [state([nginx, 'active'], [second, 'active'])], doneWorld: [] },
      ...{ done: { ...empty, ...without }, undone: empty },
    },
  ];
}
