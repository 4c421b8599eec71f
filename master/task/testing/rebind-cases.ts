// Moves of the dns binding, as cases.ts has the other verbs: from a name server into a person's hands, and back.
import { createGraph, type GraphSnapshot } from '../../graph/graph.ts';
import { planRebindDns } from '../../plan/rebind-site.ts';
import type { ServerRecord, ServiceRecord, SiteRecord, ZoneRecord } from '../../store/model.ts';
import type { ZoneCase } from './zone-cases.ts';

export function rebindCases(snapshot: GraphSnapshot, served: readonly string[]): readonly ZoneCase[] {
  const [web1, db1] = snapshot.servers as [ServerRecord, ServerRecord];
  const [, , byHand] = snapshot.services as [ServiceRecord, ServiceRecord, ServiceRecord];
  const [first] = snapshot.sites as [SiteRecord];
  const bind: ServiceRecord = {
    ...{ ...byHand, id: 'svc-0123456789abcdr1', serverId: db1.id, engine: 'bind' },
    detected: { ...byHand.detected, engine: 'bind', capabilities: ['zones'] },
  };
  // In no public DNS: nobody is asked whether he has let go.
  const zone: ZoneRecord = {
    ...{ id: 'zone-0123456789abcdr1', name: 'example.test', serviceId: bind.id, state: 'active' },
    ...{ nameservers: ['ns1.example.net'], contact: 'hostmaster@example.org', ttl: 3600, lowTtl: 60 },
    ...{ ttlPolicy: 'normal', leadSeconds: 86_400, negativeTtl: 300, dnssec: false, createdAt: 4 },
  };
  const at = (dns: string, dnsByHand: boolean): GraphSnapshot => ({
    ...{ ...snapshot, services: [...snapshot.services, bind], zones: [zone] },
    sites: [{ ...first, name: 'www.example.test', aliases: [], bindings: { ...first.bindings, dns }, dnsByHand }],
  });
  const [there, handed] = [at(bind.id, false), at(byHand.id, true)];
  const where = `dns site/${first.id}`;
  const told = [...new Set([...served, `${web1.id} ${where}`])].sort();
  const published = [...told, `${db1.id} ${where}`].sort();
  const rebound = (from: GraphSnapshot, to: ServiceRecord) =>
    planRebindDns(createGraph(from), from.sites[0] as SiteRecord, to);
  return [
    {
      ...{ name: 'rebind from a name server to a person', plan: rebound(there, byHand), ground: there },
      ...{ world: published, doneWorld: told, done: handed, undone: there },
    },
    {
      ...{ name: 'rebind from a person to a name server', plan: rebound(handed, bind), ground: handed },
      ...{ world: told, doneWorld: published, done: there, undone: handed },
    },
  ];
}
