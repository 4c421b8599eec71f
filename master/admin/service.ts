// Services: list, enable, disable.
import { AegirError } from '../../shared/error.ts';
import type {
  ChangeResponse,
  DisableServiceRequest,
  EnableServiceRequest,
  GetServiceRequest,
  ListServicesRequest,
  ListServicesResponse,
  Service,
  VerifyServiceRequest,
} from '../../shared/gen/aegir/v1/admin.ts';
import { idBody } from '../../shared/id.ts';
import type { Graph } from '../graph/graph.ts';
import { requireUnused } from '../graph/rules.ts';
import { keptAt } from '../graph/server-uses.ts';
import { planAtOnce } from '../plan/at-once.ts';
import { planEnableService } from '../plan/change-server.ts';
import { planVerifyService } from '../plan/verify-service.ts';
import type { ServiceRecord } from '../store/model.ts';
import { requireIdle } from './at-work.ts';
import { change } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { pageOf } from './page.ts';
import { serviceTypes } from './token.ts';
import { serviceView } from './view.ts';

export async function listServices(deps: AdminDeps, request: ListServicesRequest): Promise<ListServicesResponse> {
  const graph = await loadGraph(deps.store);
  const server = request.server === '' ? undefined : graph.server(request.server).id;
  const [type] = request.type === '' ? [] : serviceTypes([request.type]);
  const wanted = graph.services.filter(
    (service) =>
      graph.server(service.serverId).state !== 'revoked' &&
      (server === undefined || service.serverId === server) &&
      (type === undefined || service.type === type),
  );
  const page = pageOf(wanted, (service) => `${graph.serviceName(service)} ${service.id}`, request);
  return { services: page.items.map((service) => serviceView(graph, service)), nextPageToken: page.nextPageToken };
}

export async function getService(deps: AdminDeps, request: GetServiceRequest): Promise<Service> {
  const graph = await loadGraph(deps.store);
  return serviceView(graph, graph.service(request.service));
}

export async function enableService(
  deps: AdminDeps,
  caller: Caller,
  request: EnableServiceRequest,
): Promise<ChangeResponse> {
  return change(deps, caller, request.options, { method: 'service.enable', service: request.service }, (graph) => {
    const service = graph.service(request.service);
    requireEnableable(graph, service);
    return { plan: planEnableService(graph, service) };
  });
}

function requireEnableable(graph: Graph, service: ServiceRecord): void {
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot enable ${graph.serviceName(service)}: ${why}`);
  };
  const server = graph.server(service.serverId);
  if (server.state !== 'accepted') refuse(`its server is ${server.state}; run: aegir server accept ${server.name}`);
  if (service.type === '') refuse('it is a fact about the server, not a service that sites bind to');
  if (!service.detected.manageable) refuse(`the agent has no engine for ${service.engine}`);
  if (service.state === 'missing')
    refuse(`it was not found any more; start or install it, then run: aegir server verify ${server.name}`);
}

export async function verifyService(
  deps: AdminDeps,
  caller: Caller,
  request: VerifyServiceRequest,
): Promise<ChangeResponse> {
  const token = idBody(deps.newId('tok'));
  return change(deps, caller, request.options, { method: 'service.verify', service: request.service }, (graph) => {
    const service = graph.service(request.service);
    const name = graph.serviceName(service);
    const refuse = (why: string): never => {
      throw new AegirError('failed_precondition', `cannot verify ${name}: ${why}`);
    };
    const server = graph.server(service.serverId);
    if (server.state !== 'accepted') refuse(`its server is ${server.state}; run: aegir server accept ${server.name}`);
    if (service.type === '') refuse('it is a fact about the server, not a service');
    if (service.state !== 'enabled') refuse(`it is ${service.state}; run: aegir service enable ${name}`);
    return { plan: planVerifyService(graph, service, token) };
  });
}

/** Repeatable. Nothing on the server changes. */
export async function disableService(deps: AdminDeps, request: DisableServiceRequest): Promise<Service> {
  return deps.store.transaction(async (tx) => {
    const graph = await loadGraph(tx);
    const service = graph.service(request.service);
    requireUnused(graph, service);
    await requireIdle(tx, `take ${graph.serviceName(service)} out of use`, { ids: [service.id] });
    if (request.options?.planOnly === true) {
      const name = graph.serviceName(service);
      const undo = `aegir service enable ${name}`;
      const step = {
        kind: 'service.disable',
        summary: `Record ${name} as disabled; on its server nothing changes`,
        undo,
      };
      const uses = { backups: await tx.backups.find(), policies: await tx.backupPolicies.find() };
      const warnings = keptAt(graph, service.id, uses, 'stay there');
      return {
        ...serviceView(graph, service),
        plan: planAtOnce('service.disable', `Disable ${name}`, [step], warnings),
      };
    }
    const patch = service.state === 'missing' ? { stateBefore: 'disabled' as const } : { state: 'disabled' as const };
    await tx.services.update(service.id, patch);
    return serviceView(graph, { ...service, ...patch });
  });
}
