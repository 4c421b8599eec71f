// Plans about servers, services and platforms.
import type { Graph } from '../graph/graph.ts';
import type { PlatformRecord, ServerRecord, ServiceRecord } from '../store/model.ts';
import { verifySteps } from './change-site.ts';
import type { Plan, PlanStep, VerifiedPart } from './plan.ts';

/**
 * Detect, compare, repair, diagnose, report. Of sites: those with a web server or a database here, with their settings and
 * grants wherever those are, since both name addresses of this server; nothing else elsewhere is touched.
 */
export function planVerifyServer(graph: Graph, server: ServerRecord, checkOnly = false): Plan {
  const enabled = graph.servicesOf(server.id).filter((service) => service.type !== '' && service.state === 'enabled');
  const carrying = enabled.filter(({ type }) => type === 'http' || type === 'db');
  const concerned = new Set(carrying.flatMap((service) => graph.sitesServedBy(service)));
  const sites = graph.sites.filter(
    // What is on its way has something else than its record at both ends.
    (site) => (site.state === 'enabled' || site.state === 'disabled') && site.moving === null && concerned.has(site),
  );
  const part = (step: PlanStep, group: 'service' | 'site', subject: string): readonly PlanStep[] =>
    isPart(step) ? [partStep(step, group, subject, server, !checkOnly)] : [];
  const ofService = (service: ServiceRecord, step: PlanStep) => part(step, 'service', graph.serviceName(service));
  const look = { serverId: server.id, undo: { none: 'it only looks' } } as const;
  return {
    verb: 'server.verify',
    subjectId: server.id,
    subject: server.name,
    summary: `Verify ${server.name}: diagnose, detect its services, compare${checkOnly ? '' : ' and repair'}`,
    steps: [
      {
        ...{ kind: 'server.detect', args: { serverId: server.id } },
        ...{ summary: `Detect the services of ${server.name}`, ...look },
      },
      ...enabled
        .filter(({ type }) => type !== 'file')
        .flatMap((service) => ofService(service, prepareStep(graph, service))),
      ...sites.flatMap((site) =>
        verifySteps(graph, site)
          .filter((step) => step.kind !== 'http.publish' || step.serverId === server.id)
          .flatMap((step) => part(step, 'site', site.name)),
      ),
      // Late: a mount whose server is gone must not keep sites from being mended.
      ...enabled
        .filter(({ type }) => type === 'file')
        .flatMap((service) => ofService(service, prepareStep(graph, service))),
      ...enabled.flatMap((service) => ofService(service, checkStep(graph, service))),
      {
        ...{ kind: 'server.diagnose', args: { serverId: server.id } },
        ...{ summary: `Diagnose ${server.name}`, ...look },
      },
      {
        ...{ kind: 'server.ports', args: { serverId: server.id } },
        ...{
          summary: `Reach the ports of its services from the master and from other servers`,
          ...look,
          serverId: null,
        },
      },
      {
        ...{ kind: 'server.report', args: { serverId: server.id, checkOnly } },
        ...{ summary: 'Write the report', serverId: null, undo: { none: 'a report is kept with its task' } },
      },
      {
        ...{ kind: 'server.judge', args: { serverId: server.id } },
        ...{ summary: 'See that no errors remain', ...look, serverId: null },
      },
    ],
    warnings: [],
    pointOfNoReturn: null,
    locks: [`server/${server.id}`, ...sites.map((site) => `site/${site.id}`)],
  };
}

type PartOf = Extract<PlanStep, { kind: VerifiedPart['kind'] }>;

function isPart(step: PlanStep): step is PartOf {
  return ['service.prepare', 'service.check', 'db.create', 'site.prepare', 'http.publish'].includes(step.kind);
}

function partStep(
  step: PartOf,
  group: 'service' | 'site',
  subject: string,
  server: ServerRecord,
  repair: boolean,
): PlanStep {
  const here = step.serverId === server.id;
  return {
    kind: 'verify.part',
    args: { part: { kind: step.kind, args: step.args } as VerifiedPart, group, subject, repair, here },
    summary: step.summary,
    serverId: step.serverId,
    undo: { none: repair ? 'it only brings back what is declared' : 'it only looks' },
  };
}

export function prepareStep(graph: Graph, service: ServiceRecord): PlanStep {
  return {
    kind: 'service.prepare',
    args: { serviceId: service.id },
    summary: `Make ${graph.serviceName(service)} ready${service.type === 'file' ? '' : ' to carry sites'}`,
    serverId: service.serverId,
    undo: { none: 'a service that is ready harms nobody' },
  };
}

/** What a service is used for only once it is proven: a place for backups is tried before anybody relies on it. */
export function proofSteps(graph: Graph, service: ServiceRecord): readonly PlanStep[] {
  if (service.type !== 'file') return [prepareStep(graph, service)];
  return [prepareStep(graph, service), checkStep(graph, service)];
}

export function checkStep(graph: Graph, service: ServiceRecord): PlanStep {
  const name = graph.serviceName(service);
  return {
    kind: 'service.check',
    args: { serviceId: service.id },
    summary: service.type === 'file' ? `Write, read back and remove a probe on ${name}` : `Check ${name}`,
    serverId: service.serverId,
    undo: { none: service.type === 'file' ? 'the probe removes what it wrote' : 'it only looks' },
  };
}

/** The service is made ready and proven, then recorded as enabled. */
export function enableSteps(graph: Graph, service: ServiceRecord): readonly PlanStep[] {
  return [...proofSteps(graph, service), enableStep(graph, service)];
}

export function enableStep(graph: Graph, service: ServiceRecord): PlanStep {
  const before = service.state === 'missing' ? service.stateBefore : service.state;
  return {
    kind: 'service.enable',
    args: { serviceId: service.id, before },
    summary: `Record ${graph.serviceName(service)} as enabled`,
    serverId: null,
    undo: { summary: `record it as ${before}` },
  };
}

export function planEnableService(graph: Graph, service: ServiceRecord): Plan {
  return {
    verb: 'service.enable',
    subjectId: service.id,
    subject: graph.serviceName(service),
    summary: `Enable ${graph.serviceName(service)}`,
    steps: enableSteps(graph, service),
    warnings: [],
    pointOfNoReturn: null,
    locks: [`service/${service.id}`, `server/${service.serverId}`],
  };
}

/** added: the record was saved with the task, and goes again when the path is no platform. */
export function planVerifyPlatform(graph: Graph, platform: PlatformRecord, added: boolean): Plan {
  const servers = [...new Set(graph.webServersOf(graph.service(platform.serviceId)).map(({ serverId }) => serverId))];
  const where = `${platform.root} on ${servers.map((serverId) => graph.server(serverId).name).join(', ')}`;
  return {
    verb: added ? 'platform.add' : 'platform.verify',
    subjectId: platform.id,
    subject: platform.name,
    summary: added ? `Add platform ${platform.name}: ${where}` : `Verify platform ${platform.name}: ${where}`,
    steps: servers.map((serverId, index) => platformStep(graph, platform, serverId, added && index === 0, index > 0)),
    warnings: [],
    pointOfNoReturn: null,
    locks: [`platform/${platform.id}`],
  };
}

/** compare: it must be what another web server of the cluster has. */
export function platformStep(
  graph: Graph,
  platform: PlatformRecord,
  serverId: string,
  added: boolean,
  compare: boolean,
): PlanStep {
  const where = `${platform.root} on ${graph.server(serverId).name}`;
  const what = compare ? 'the same' : platform.app === '' ? 'a platform' : `a ${platform.app} platform`;
  return {
    kind: 'platform.verify',
    args: { platformId: platform.id, serverId, added, compare },
    summary: `Check that ${where} is ${what}`,
    serverId,
    undo: added ? { summary: 'forget the platform' } : { none: 'it only looks' },
  };
}
