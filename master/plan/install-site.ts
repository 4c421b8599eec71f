// Plan of site.install: nothing is served before the app is installed, and everything undoes.
import { displayName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import { mainWebServer } from '../graph/spread.ts';
import type { SiteRecord } from '../store/model.ts';
import type { Plan } from './plan.ts';
import { siteRecordSets } from './site-records.ts';
import { dbCreate, dnsPublish, httpPublish, sitePrepare, siteProbe, siteRecordStep } from './steps.ts';

/** site is the record to be, in state installing; graph need not hold it yet. installs: the app has an installer. */
export function planInstallSite(graph: Graph, site: SiteRecord, installs: boolean): Plan {
  const { serverId } = mainWebServer(graph, site);
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
    warnings: untold(graph, site),
    pointOfNoReturn: null,
    locks: [`site/${site.id}`],
  };
}

/** Names that nothing publishes and no engine tells of. */
function untold(graph: Graph, site: SiteRecord): readonly string[] {
  if (siteRecordSets(graph, site).length > 0) return [];
  const { name, facts } = graph.server(graph.service(site.bindings.http).serverId);
  const names = [site.name, ...site.aliases].map(displayName).join(', ');
  const addresses = facts.addresses.join(', ') || `of ${name}`;
  return [`No dns service is bound: lead ${names} to the address ${addresses} in DNS yourself.`];
}

export function loginStep(graph: Graph, site: SiteRecord, account: string): Plan['steps'][number] {
  const { serverId } = mainWebServer(graph, site);
  return {
    kind: 'site.login',
    args: { serverId, siteId: site.id, account },
    summary: `Make a one-time login link for ${account === '' ? 'the administrator' : account}`,
    serverId,
    undo: { none: 'the link ends by itself' },
  };
}
