// Plan of site.clone: a copy of a site under another name. The site that is copied goes on serving and is only read; the
// copy is on the web when it is whole, and everything undoes.
import { displayName } from '../../shared/name.ts';
import type { Graph } from '../graph/graph.ts';
import { siteUrl } from '../graph/site-url.ts';
import { mainWebServer } from '../graph/spread.ts';
import type { SiteRecord } from '../store/model.ts';
import { asItIs, rewriteSteps, type SiteSizes, sizeText } from './backup-steps.ts';
import { loginStep } from './install-site.ts';
import { placeOf } from './move-steps.ts';
import type { Plan, PlanStep } from './plan.ts';
import { siteRecordSets } from './site-records.ts';
import {
  dbCreate,
  dnsPublish,
  firstCertificate,
  httpPublish,
  sitePrepare,
  siteProbe,
  siteRecordStep,
} from './steps.ts';

/** copy is the record to be, in state installing; graph need not hold it yet. sizes: of the site, as last measured. */
export function planCloneSite(graph: Graph, site: SiteRecord, copy: SiteRecord, sizes: SiteSizes): Plan {
  const platform = graph.platform(copy.platformId);
  const served = site.state === 'disabled' ? 'disabled' : 'enabled';
  const accounts = platform.app === 'drupal' || platform.app === 'wordpress';
  const size = sizeText(sizes);
  return {
    verb: 'site.clone',
    subjectId: copy.id,
    subject: copy.name,
    summary: `Copy ${displayName(site.name)} to ${displayName(copy.name)} on platform ${platform.name} (${platform.app})`,
    steps: [
      siteRecordStep(copy, 'installing', 'absent'),
      checkStep(graph, site, copy),
      ...firstCertificate(copy),
      ...dbCreate(graph, copy, 'absent'),
      ...sitePrepare(graph, copy, 'absent'),
      ...copySteps(graph, site, copy, platform.app !== ''),
      ...rewriteSteps(graph, copy, {
        url: siteUrl(site, graph.service(site.bindings.http)),
        names: [site.name, ...site.aliases],
        siteId: site.id,
      }),
      ...upgradeSteps(graph, site, copy),
      ...httpPublish(graph, copy, served, 'absent'),
      ...(served === 'enabled' ? siteProbe(graph, copy) : []),
      ...dnsPublish(graph, copy, 'absent'),
      ...(accounts && served === 'enabled' ? [loginStep(graph, copy, '')] : []),
      siteRecordStep(copy, served, 'installing'),
    ],
    warnings: [
      ...(size === '' ? [] : [`${displayName(site.name)} has ${size}; what is there already does not travel.`]),
      ...asItIs(platform.app, displayName(site.name)),
      ...(site.aliases.length === 0 ? [] : ['Its aliases stay with the site.']),
      ...(site.web.https === 'own' ? ['The certificate is for other names: the copy is served over HTTP.'] : []),
      ...(site.snippet?.text.includes(site.name) === true
        ? [`Its snippet names ${displayName(site.name)}, and is copied as it is.`]
        : []),
      ...(siteRecordSets(graph, copy).length === 0 ? ['No dns service is bound: set the names in DNS yourself.'] : []),
    ],
    pointOfNoReturn: null,
    // Nobody moves or deletes it while it is read.
    locks: [`site/${copy.id}`, `site/${site.id}`],
  };
}

function checkStep(graph: Graph, site: SiteRecord, copy: SiteRecord): PlanStep {
  const web = mainWebServer(graph, copy);
  return {
    kind: 'move.check',
    args: { siteId: site.id, from: placeOf(site), to: placeOf(copy), copy: true },
    summary: `Check that a copy of ${displayName(site.name)} can be on ${graph.serviceName(web)}: platform ${graph.platform(copy.platformId).name}, room, ports`,
    serverId: web.serverId,
    undo: { none: 'it only looks' },
  };
}

/** The database first: what it says is there is then among the files. */
function copySteps(graph: Graph, site: SiteRecord, copy: SiteRecord, hasFiles: boolean): readonly PlanStep[] {
  const [from, to] = [placeOf(site), placeOf(copy)];
  const common = { siteId: copy.id, from, to, round: 1, deadline: null, of: site.id };
  const undo = { summary: 'let go of what was kept for it' };
  const steps: PlanStep[] = [];
  if (to.db !== '') {
    const db = graph.service(to.db);
    steps.push({
      kind: 'copy.database',
      args: { ...common, unless: null },
      summary: `Copy the database of ${displayName(site.name)} to ${graph.serviceName(db)}`,
      serverId: db.serverId,
      undo,
    });
  }
  if (hasFiles) {
    const web = mainWebServer(graph, copy);
    steps.push({
      kind: 'copy.files',
      args: common,
      summary: `Copy the files of ${displayName(site.name)} to ${graph.serviceName(web)}`,
      serverId: web.serverId,
      undo,
    });
  }
  return steps;
}

function upgradeSteps(graph: Graph, site: SiteRecord, copy: SiteRecord): readonly PlanStep[] {
  const [from, to] = [graph.platform(site.platformId), graph.platform(copy.platformId)];
  if (to.app !== 'drupal' && to.app !== 'wordpress') return [];
  if (from.id === to.id || (from.facts?.version ?? '') === (to.facts?.version ?? '')) return [];
  const { serverId } = mainWebServer(graph, copy);
  return [
    {
      kind: 'site.upgrade',
      args: { serverId, siteId: copy.id },
      summary: `Have ${to.app} bring the database to platform ${to.name}`,
      serverId,
      undo: { none: 'it goes with the steps before' },
    },
  ];
}
