// The verbs of file services, as cases.ts has those of sites and servers.
import { createGraph, type GraphSnapshot } from '../../graph/graph.ts';
import { planDeclareService, planSetService } from '../../plan/change-service.ts';
import { planVerifyService } from '../../plan/verify-service.ts';
import type { ServiceRecord } from '../../store/model.ts';
import type { ZoneCase } from './zone-cases.ts';

export function fileCases(snapshot: GraphSnapshot, served: readonly string[]): readonly ZoneCase[] {
  const [nginx, mariadb] = snapshot.services as [ServiceRecord, ServiceRecord];
  const mountOf = (n: number, serverId: string): ServiceRecord => ({
    ...{ ...nginx, id: `svc-0123456789abcdf${n}`, serverId, type: 'file', engine: 'mount', instance: 'nas' },
    ...{ origin: 'declared', settings: { path: '/srv/nas', share: 'nas' } },
  });
  const [web, db] = [mountOf(1, nginx.serverId), mountOf(2, mariadb.serverId)];
  const withServices = (...more: readonly ServiceRecord[]): GraphSnapshot => ({
    ...snapshot,
    services: [...snapshot.services, ...more],
  });
  const declared: ServiceRecord = { ...web, state: 'detected', stateBefore: 'detected' };
  const both = withServices(web, db);
  const to = { settings: { path: '/srv/other', share: 'other' }, secrets: {} };
  const none = { backups: [], are: 'unsaid' } as const;
  const same = { world: served, doneWorld: served };
  return [
    {
      ...{ name: 'file service declare', plan: planDeclareService(createGraph(snapshot), declared), ...same },
      ...{ ground: withServices(declared), done: withServices(web), undone: snapshot },
    },
    {
      ...{ name: 'file service set', plan: planSetService(createGraph(both), web, to, none), ...same },
      ...{ ground: both, done: withServices({ ...web, ...to }, db), undone: both },
    },
    {
      ...{ name: 'service verify', plan: planVerifyService(createGraph(both), web, '0123456789abcdef'), ...same },
      ...{ ground: both, done: both, undone: both },
    },
  ];
}
