// Plan of site.install: nothing is served before the app is installed, and everything undoes.
import { displayName } from '../../shared/name.ts';
import { firstWebServer } from '../graph/cluster-rules.ts';
import type { Graph } from '../graph/graph.ts';
import type { SiteRecord } from '../store/model.ts';
import type { Plan } from './plan.ts';
import { siteRecordSets } from './site-records.ts';
import { dbCreate, dnsPublish, httpPublish, sitePrepare, siteProbe, siteRecordStep } from './steps.ts';

/** site is the record to be, in state installing; graph need not hold it yet. installs: the app has an installer. */
export function planInstallSite(graph: Graph, site: SiteRecord, installs: boolean): Plan {
  const { serverId } = firstWebServer(graph, graph.service(site.bindings.http));
  const server = graph.server(serverId).name;
  const platform = graph.platform(site.platformId);
  return {
    verb: 'site.install',
    subjectId: site.id,
    subject: site.name,
    summary: `Install ${displayName(site.name)} on platform ${platform.name} (${platform.app})`,
    steps: [
      siteRecordStep(site, 'installing', 'absent'),
      ...dbCreate(graph, site, 'absent'),
      ...sitePrepare(graph, site, 'absent'),
      ...(installs
        ? [
            {
              kind: 'site.install' as const,
              args: { serverId, siteId: site.id },
              summary: `Run the installer of ${platform.app} on ${server}`,
              serverId,
              undo: { none: 'its database and files go with the steps before' },
            },
          ]
        : []),
      ...httpPublish(graph, site, 'enabled', 'absent'),
      ...siteProbe(graph, site),
      ...dnsPublish(graph, site, 'absent'),
      ...(installs ? [loginStep(graph, site, '')] : []),
      siteRecordStep(site, 'enabled', 'installing'),
    ],
    warnings:
      siteRecordSets(graph, site).length === 0 ? ['No dns service is bound: set the names in DNS yourself.'] : [],
    pointOfNoReturn: null,
    locks: [`site/${site.id}`],
  };
}

export function loginStep(graph: Graph, site: SiteRecord, account: string): Plan['steps'][number] {
  const { serverId } = firstWebServer(graph, graph.service(site.bindings.http));
  return {
    kind: 'site.login',
    args: { serverId, siteId: site.id, account },
    summary: `Make a one-time login link for ${account === '' ? 'the administrator' : account}`,
    serverId,
    undo: { none: 'the link ends by itself' },
  };
}
