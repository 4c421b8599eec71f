// Plans about servers, services and platforms.
import type { Graph } from '../graph/graph.ts';
import type { PlatformRecord, ServerRecord, ServiceRecord } from '../store/model.ts';
import { verifySteps } from './change-site.ts';
import type { Plan, PlanStep } from './plan.ts';

/** Detect, compare, repair every site's part here, diagnose. Sites on other servers are not touched. */
export function planVerifyServer(graph: Graph, server: ServerRecord): Plan {
  const enabled = graph.servicesOf(server.id).filter((service) => service.type !== '' && service.state === 'enabled');
  const ids = new Set(enabled.map((service) => service.id));
  const sites = graph.sites.filter(
    (site) =>
      (site.state === 'enabled' || site.state === 'disabled') &&
      Object.values(site.bindings).some((id) => typeof id === 'string' && ids.has(id)),
  );
  const here = (step: PlanStep) => step.serverId === server.id;
  return {
    verb: 'server.verify',
    subjectId: server.id,
    subject: server.name,
    summary: `Verify ${server.name}: diagnose, detect its services, compare and repair`,
    steps: [
      {
        kind: 'server.detect',
        args: { serverId: server.id },
        summary: `Detect the services of ${server.name}`,
        serverId: server.id,
        undo: { none: 'it only looks' },
      },
      ...enabled.map((service) => prepareStep(graph, service)),
      ...sites.flatMap((site) => verifySteps(graph, site).filter(here)),
      {
        kind: 'server.diagnose',
        args: { serverId: server.id },
        summary: `Diagnose ${server.name}`,
        serverId: server.id,
        undo: { none: 'it only looks' },
      },
    ],
    warnings: [],
    pointOfNoReturn: null,
    locks: [`server/${server.id}`, ...sites.map((site) => `site/${site.id}`)],
  };
}

function prepareStep(graph: Graph, service: ServiceRecord): PlanStep {
  return {
    kind: 'service.prepare',
    args: { serviceId: service.id },
    summary: `Make ${graph.serviceName(service)} ready to carry sites`,
    serverId: service.serverId,
    undo: { none: 'a service that is ready harms nobody' },
  };
}

/** The service is made ready, then recorded as enabled. */
export function enableSteps(graph: Graph, service: ServiceRecord): readonly [PlanStep, PlanStep] {
  const before = service.state === 'missing' ? service.stateBefore : service.state;
  return [
    prepareStep(graph, service),
    {
      kind: 'service.enable',
      args: { serviceId: service.id, before },
      summary: `Record ${graph.serviceName(service)} as enabled`,
      serverId: null,
      undo: { summary: `record it as ${before}` },
    },
  ];
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
  const { serverId } = graph.service(platform.serviceId);
  const where = `${platform.root} on ${graph.server(serverId).name}`;
  return {
    verb: added ? 'platform.add' : 'platform.verify',
    subjectId: platform.id,
    subject: platform.name,
    summary: added ? `Add platform ${platform.name}: ${where}` : `Verify platform ${platform.name}: ${where}`,
    steps: [
      {
        kind: 'platform.verify',
        args: { platformId: platform.id, serverId, added },
        summary: `Check that ${where} is ${platform.app === '' ? 'a platform' : `a ${platform.app} platform`}`,
        serverId,
        undo: added ? { summary: 'forget the platform' } : { none: 'it only looks' },
      },
    ],
    warnings: [],
    pointOfNoReturn: null,
    locks: [`platform/${platform.id}`],
  };
}
