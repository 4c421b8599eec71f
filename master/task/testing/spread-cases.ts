// The verbs of clusters whose heads have files of their own, as cases.ts has those of sites: a front, two heads, one site.
import { createGraph, type GraphSnapshot } from '../../graph/graph.ts';
import { planActivateHead, planAddHead, planDrainHead } from '../../plan/change-cluster.ts';
import type { Plan } from '../../plan/plan.ts';
import { planMoveWriter, planSyncCluster } from '../../plan/spread.ts';
import type { HeadRecord, PlatformRecord, ServerRecord, ServiceRecord, SiteRecord } from '../../store/model.ts';
import type { ClusterCase } from './cluster-cases.ts';

export function spreadCases(snapshot: GraphSnapshot): readonly ClusterCase[] {
  const [web1] = snapshot.servers as [ServerRecord];
  const [nginx, mariadb] = snapshot.services as [ServiceRecord, ServiceRecord];
  const [wordpress] = snapshot.platforms as [PlatformRecord];
  const [plain] = snapshot.sites as [SiteRecord];
  const another = (n: number, name: string): ServerRecord => ({
    ...{ ...web1, id: `srv-0123456789abcds${n}`, name },
    facts: { ...web1.facts, addresses: [`192.0.2.3${n}`], sourceAddresses: [`192.0.2.3${n}`] },
  });
  const [front, web2] = [another(1, 'front1'), another(2, 'web2')];
  const second: ServiceRecord = { ...nginx, id: 'svc-0123456789abcds2', serverId: web2.id };
  const cluster: ServiceRecord = {
    ...{ ...nginx, id: 'svc-0123456789abcds1', serverId: front.id, engine: 'cluster', instance: 'spread' },
    detected: { ...nginx.detected, engine: 'cluster', instance: 'spread' },
    ...{ origin: 'declared', settings: {} },
  };
  const head = (n: number, service: ServiceRecord, state: HeadRecord['state']): HeadRecord => ({
    ...{ id: `head-0123456789abcds${n}`, clusterId: cluster.id, serviceId: service.id, state, weight: 1 },
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
  const siteOf = (writer: ServiceRecord, kept: readonly ServiceRecord[] = []): SiteRecord => ({
    ...{ ...plain, uid: 480_001, bindings: { http: cluster.id, db: mariadb.id } },
    spread: { writer: writer.id, copies: [], kept: kept.map(({ id }) => id) },
  });
  const ground = (states: readonly [HeadRecord['state'], HeadRecord['state']?], site: SiteRecord): GraphSnapshot => ({
    ...{ ...snapshot, servers: [...snapshot.servers, front, web2], platforms: [platform], sites: [site] },
    services: [...snapshot.services, second, cluster],
    heads: [head(1, nginx, states[0]), ...(states[1] === undefined ? [] : [head(2, second, states[1])])],
  });
  const [ours, theirs] = [siteOf(nginx), siteOf(second)];
  const at = `site/${ours.id}`;
  /** writer: which head takes the writes; heads: how the front knows them. */
  const world = (
    writer: ServiceRecord,
    heads: readonly (readonly [ServiceRecord, string])[],
    more: readonly string[] = [],
  ) => {
    const writes = writer.id === nginx.id ? web1 : web2;
    const web = heads.flatMap(([service]) => {
      const server = service.id === nginx.id ? web1 : web2;
      const as = server === writes ? 'cron 900' : `cron off, files from ${writes.facts.addresses[0]}`;
      return [`${server.id} files ${at}`, `${server.id} files of ${at} new`, `${server.id} http ${at} enabled, ${as}`];
    });
    const led = `${front.id} http ${at} enabled, cron off, writes to ${writer.id}`;
    const states = heads.map(([{ id }, state]) => `${id} ${state}`).join();
    const from = heads.length === 1 ? '' : ` ${[web1, web2].map((each) => each.facts.sourceAddresses[0]).join()}`;
    const grants = `${mariadb.serverId} db ${at}${from}`;
    return [...web, led, `${front.id} cluster service/${cluster.id} ${states}`, grants, ...more].sort();
  };
  const both = (second_: string, first_ = 'active') =>
    [
      [nginx, first_],
      [second, second_],
    ] as const;
  const two = ground(['active', 'active'], ours);
  const graph = createGraph(two);
  const [first] = two.heads as [HeadRecord];
  const joining = ground(['active', 'joining'], ours);
  const lost = ground(['active', 'out'], siteOf(nginx, [second]));
  const givenUp = ground(['out', 'active'], siteOf(second, [nginx]));
  // Nothing is done on the server that does not answer: it still thinks that it takes the writes.
  const stale = world(second, both('active', 'out')).map((line) =>
    line.startsWith(`${web1.id} http`) ? `${web1.id} http ${at} enabled, cron 900` : line,
  );

  const cases: readonly ClusterCase[] = [
    {
      ...{ name: 'cluster sync', plan: planSyncCluster(graph, cluster, [ours]), ground: two, done: two, undone: two },
      ...{ world: world(nginx, both('active')), doneWorld: world(nginx, both('active')) },
    },
    {
      ...{ name: 'cluster writer', plan: planMoveWriter(graph, cluster, ours, second), ground: two, undone: two },
      ...{ world: world(nginx, both('active')), doneWorld: world(second, both('active')) },
      done: ground(['active', 'active'], theirs),
    },
    {
      ...{ name: 'cluster drain of the head that takes writes', ground: two, undone: two },
      plan: planDrainHead(graph, cluster, first, 0, false),
      ...{ world: world(nginx, both('active')), doneWorld: world(second, both('active', 'out')) },
      done: ground(['out', 'active'], theirs),
    },
    {
      ...{ name: 'cluster drain of a head that is given up', ground: two, undone: two, done: givenUp },
      plan: planDrainHead(graph, cluster, first, 0, true),
      ...{ world: world(nginx, both('active')), doneWorld: stale.sort() },
    },
    {
      ...{ name: 'cluster add with files', ground: joining, undone: ground(['active'], ours), done: two },
      plan: planAddHead(createGraph(joining), cluster, head(2, second, 'joining')),
      ...{ world: world(nginx, [[nginx, 'active']]), doneWorld: world(nginx, both('active')) },
    },
    {
      ...{ name: 'cluster activate of a head that was given up', ground: lost, undone: lost, done: two },
      plan: planActivateHead(createGraph(lost), cluster, head(2, second, 'out'), true),
      ...{ world: world(nginx, both('out')), doneWorld: world(nginx, both('active')) },
    },
  ];
  // Connections that visitors keep are waited for by the clock; here their time is over at once.
  return cases.map((of) => ({ ...of, plan: hurried(of.plan) }));
}

function hurried(plan: Plan): Plan {
  const steps = plan.steps.map((step) =>
    step.kind === 'move.wait' ? { ...step, args: { ...step.args, seconds: 0 } } : step,
  );
  return { ...plan, steps };
}
