// Plans about how the web sees a site: its names, HTTPS, redirects, certificates.
import { displayName } from '../../shared/name.ts';
import { createGraph, type Graph } from '../graph/graph.ts';
import type { ServiceRecord, SiteRecord } from '../store/model.ts';
import type { Plan, PlanStep, SiteValues } from './plan.ts';
import { type SiteRecords, siteRecordSets } from './site-records.ts';
import { dnsPublish, httpPublish, publishedOn, runsCron, sitePrepare, siteProbe } from './steps.ts';

const served = (site: SiteRecord): 'enabled' | 'disabled' => (site.state === 'disabled' ? 'disabled' : 'enabled');

/** They come first and are undone last. */
function restoreSteps(graph: Graph, site: SiteRecord, names: boolean): readonly PlanStep[] {
  const http = graph.service(site.bindings.http);
  const shown = displayName(site.name);
  const dns: readonly PlanStep[] = names
    ? siteRecordSets(graph, site).map(({ service, zone, records }) => ({
        kind: 'site.restore',
        args: { siteId: site.id, part: { of: 'dns', serviceId: service.id, zone, records } },
        summary: `Note the records of ${shown} on ${graph.serviceName(service)}`,
        serverId: service.serverId,
        undo: { summary: 'publish them as they were' },
      }))
    : [];
  return [
    ...dns,
    ...[...new Set(graph.webServersOf(http).map(({ serverId }) => serverId))].map(
      (serverId): PlanStep => ({
        kind: 'site.restore',
        args: { siteId: site.id, part: { of: 'files', serverId } },
        summary: `Note the settings of ${shown}`,
        serverId,
        undo: { summary: 'write them as they were' },
      }),
    ),
    ...publishedOn(graph, site).map((service) => restoreServed(graph, site, service)),
  ];
}

export function restoreServed(graph: Graph, site: SiteRecord, service: ServiceRecord): PlanStep {
  return {
    kind: 'site.restore',
    args: {
      siteId: site.id,
      part: { of: 'http', serviceId: service.id, state: served(site), cron: runsCron(graph, site, service) },
    },
    summary: `Note how ${displayName(site.name)} is served on ${graph.serviceName(service)}`,
    serverId: service.serverId,
    undo: { summary: 'serve it as it was' },
  };
}

function ensureStep(site: SiteRecord): PlanStep {
  const before = site.certificate === null ? null : { ...site.certificate };
  return {
    kind: 'certificate.ensure',
    args: { siteId: site.id, before },
    summary: `Have a certificate for ${displayName(site.name)}, self-signed where there is none`,
    serverId: null,
    undo: { summary: 'go back to what it had' },
  };
}

/** Last, since nothing can bring a key back. */
function tidySteps(site: SiteRecord): readonly PlanStep[] {
  if (site.certificate === null) return [];
  return [
    {
      kind: 'certificate.tidy',
      args: { siteId: site.id, keySecret: site.certificate.keySecret },
      summary: 'Forget the key of the former certificate, if it was replaced',
      serverId: null,
      undo: { none: 'nothing uses it' },
    },
  ];
}

/** Addresses of names that the site loses, in zones that it has no other name in. */
function lostRecords(before: Graph, after: Graph, old: SiteRecord, site: SiteRecord): readonly PlanStep[] {
  const kept = new Set(siteRecordSets(after, site).map((set) => `${set.service.id} ${set.zone}`));
  const lost = siteRecordSets(before, old).filter((set) => !kept.has(`${set.service.id} ${set.zone}`));
  return takeBackRecords(after, site, lost);
}

/** Undone by the steps that noted them. */
export function takeBackRecords(graph: Graph, site: SiteRecord, sets: readonly SiteRecords[]): readonly PlanStep[] {
  return sets.map(({ service, zone, records }) => ({
    kind: 'dns.unpublish',
    args: { serviceId: service.id, siteId: site.id, zone, records },
    summary: `Take back what ${graph.serviceName(service)} has of it`,
    serverId: service.serverId,
    undo: { none: 'the records noted at first are published again' },
  }));
}

export function valuesOfSite(site: SiteRecord): SiteValues {
  return {
    aliases: site.aliases,
    web: site.web,
    cronSeconds: site.cronSeconds,
    auth: site.auth,
    snippet: site.snippet,
  };
}

function secretsOf(auth: SiteRecord['auth']): readonly string[] {
  return auth?.users.map(({ secret }) => secret) ?? [];
}

/** What changes of who may see it, and of its snippet; '' when nothing does. */
function accessWords(site: SiteRecord, to: SiteValues): string {
  const words: string[] = [];
  if (to.auth !== undefined && JSON.stringify(to.auth) !== JSON.stringify(site.auth)) {
    words.push(
      to.auth === null ? 'to everybody' : `to ${to.auth.users.map(({ name }) => name).join(', ')} by password`,
    );
  }
  if (to.snippet !== undefined && JSON.stringify(to.snippet) !== JSON.stringify(site.snippet)) {
    const lines = (to.snippet?.text.split('\n').length ?? 1) - 1;
    const size = lines === 1 ? '1 line' : `${lines} lines`;
    words.push(to.snippet === null ? 'without its snippet' : `with a snippet of ${size} for ${to.snippet.engine}`);
  }
  return words.map((word) => `, ${word}`).join('');
}

export function planSetSite(graph: Graph, site: SiteRecord, to: SiteValues): Plan {
  const changed: SiteRecord = { ...site, ...to };
  const after = createGraph({ ...graph, sites: graph.sites.map((each) => (each.id === site.id ? changed : each)) });
  const names = JSON.stringify(site.aliases) !== JSON.stringify(to.aliases);
  const before: SiteValues = {
    ...valuesOfSite(site),
    ...(to.certificate === undefined ? {} : { certificate: site.certificate }),
  };
  const same = to.certificate === undefined && JSON.stringify(to) === JSON.stringify(before);
  const shown = displayName(site.name);
  const key = to.certificate?.keySecret;
  const had = secretsOf(site.auth);
  const has = to.auth === undefined ? had : secretsOf(to.auth);
  const fresh = has.filter((id) => !had.includes(id));
  const former = had.filter((id) => !has.includes(id));
  const keep: readonly PlanStep[] =
    key === undefined
      ? []
      : [
          {
            kind: 'secrets.keep',
            args: { secretIds: [key] },
            summary: 'Keep the key that came with the certificate',
            serverId: null,
            undo: { summary: 'forget it' },
          },
        ];
  const keepPasswords: readonly PlanStep[] =
    fresh.length === 0
      ? []
      : [
          {
            kind: 'secrets.keep',
            args: { secretIds: fresh },
            summary: 'Keep the hashes of the passwords',
            serverId: null,
            undo: { summary: 'forget them' },
          },
        ];
  const steps: PlanStep[] = [
    ...keep,
    ...keepPasswords,
    ...restoreSteps(graph, site, names),
    {
      kind: 'site.set',
      args: { siteId: site.id, to, before },
      summary: `Record how ${shown} shall be served${accessWords(site, to)}`,
      serverId: null,
      undo: { summary: 'record how it was' },
    },
    ...(to.web.https === 'off' ? [] : [ensureStep(changed)]),
    ...(names ? [...dnsPublish(after, changed, 'present'), ...lostRecords(graph, after, site, changed)] : []),
    ...httpPublish(after, changed, served(site), served(site)),
    ...sitePrepare(after, changed, 'present'),
    ...(served(site) === 'enabled' ? siteProbe(after, changed) : []),
  ];
  const last = steps.length;
  if (to.web.https !== 'off' || to.certificate !== undefined) steps.push(...tidySteps(site));
  if (former.length > 0) {
    steps.push({
      kind: 'secrets.forget',
      args: { secretIds: former },
      summary: 'Forget the hashes of former passwords',
      serverId: null,
      undo: { none: 'nothing uses them' },
    });
  }
  return {
    verb: 'site.set',
    subjectId: site.id,
    subject: site.name,
    summary: same ? `${shown} is served that way already: nothing to do` : `Change how ${shown} is served`,
    steps: same ? [] : steps,
    warnings: [
      ...(to.web.hstsSeconds > 0 && site.web.hstsSeconds === 0
        ? [`Browsers remember HSTS for ${to.web.hstsSeconds} s: meanwhile the site cannot go back to plain HTTP.`]
        : []),
      ...(fresh.length > 0 && !to.web.redirect
        ? ['Passwords can be read on the way over plain HTTP: --https acme --https-redirect keeps them from that.']
        : []),
    ],
    pointOfNoReturn: steps.length > last ? last : null,
    locks: [`site/${site.id}`],
  };
}

/** They go when the site's own records are published again. */
function proveSteps(graph: Graph, site: SiteRecord): readonly PlanStep[] {
  return siteRecordSets(graph, site).map(({ service, zone, names, records }) => ({
    kind: 'certificate.prove',
    args: { serviceId: service.id, siteId: site.id, zone, names, records },
    summary: `Publish the proofs of ${names.map(displayName).join(', ')} in ${displayName(zone)} by ${graph.serviceName(service)}`,
    serverId: service.serverId,
    undo: { summary: 'take them back' },
  }));
}

/** A certificate from the authority, or a fresh one of its own kind. */
export function planCertifySite(graph: Graph, site: SiteRecord): Plan {
  const state = served(site);
  const shown = displayName(site.name);
  const byDns = site.web.https === 'acme-dns';
  const ordered: readonly PlanStep[] = [
    {
      kind: 'certificate.order',
      args: { siteId: site.id, ...(byDns ? { by: 'dns-01' as const } : {}) },
      summary: `Ask the certificate authority for a certificate of ${shown}`,
      serverId: null,
      undo: { summary: 'forget the order' },
    },
    ...(byDns ? proveSteps(graph, site) : httpPublish(graph, site, state, state)),
    {
      kind: 'certificate.fetch',
      args: { siteId: site.id, before: site.certificate === null ? null : { ...site.certificate } },
      summary: 'Have its names proved, and fetch the certificate',
      serverId: null,
      undo: { none: 'what it had before comes back with the first steps' },
    },
    ...(byDns ? dnsPublish(graph, site, 'present') : []),
  ];
  const steps = [
    ...restoreSteps(graph, site, false),
    ensureStep(site),
    ...(site.web.https === 'acme' || byDns ? ordered : []),
    ...httpPublish(graph, site, state, state),
    // By its first one it has another address, which its settings name.
    ...sitePrepare(graph, site, 'present'),
    ...(state === 'enabled' ? siteProbe(graph, site) : []),
  ];
  const tidy = tidySteps(site);
  return {
    verb: 'site.certify',
    subjectId: site.id,
    subject: site.name,
    summary: `Get a certificate for ${shown}`,
    steps: [...steps, ...tidy],
    warnings: [],
    pointOfNoReturn: tidy.length === 0 ? null : steps.length,
    locks: [`site/${site.id}`],
  };
}
