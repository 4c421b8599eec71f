// How a site is served: names, HTTPS, redirects, who may see it; and its certificate, by order of a person or when it is due.

import { termsNotAgreed } from '../../shared/acme-terms.ts';
import { byteSize } from '../../shared/byte-size.ts';
import { AegirError } from '../../shared/error.ts';
import { moment } from '../../shared/for-people.ts';
import {
  type ChangeResponse,
  type SetSiteRequest,
  SetSiteRequest as SetSiteRequestMessage,
  type SiteRequest,
} from '../../shared/gen/aegir/v1/admin.ts';
import { hostName } from '../../shared/name.ts';
import { APPS, MAX_CRON_SECONDS, MIN_CRON_SECONDS } from '../../shared/vocabulary.ts';
import type { Graph } from '../graph/graph.ts';
import { requireFreeNames } from '../graph/rules.ts';
import { requireFreeRecords, requireProvable } from '../graph/zone-rules.ts';
import { planCertifySite, planSetSite, valuesOfSite } from '../plan/change-site-web.ts';
import type { SiteValues } from '../plan/plan.ts';
import type { JsonObject, SecretRecord, SiteCertificate, SitePhp, SiteRecord, SiteWeb } from '../store/model.ts';
import { change, type Decision, requireTaken } from './change.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { findSite, requireState } from './site.ts';
import { accessOf, newUsers, requireSnippetRight, snippetOf } from './site-access.ts';

const MAX_ALIASES = 100;
const MAX_CERTIFICATE = 60_000;
const MAX_KEY = 16_000;
const MIB = 1024 * 1024;
const MAX_HSTS_SECONDS = 2 * 365 * 86_400;
const SOURCES = ['off', 'self-signed', 'acme', 'acme-dns', 'own'] as const;

interface Uploaded {
  readonly certificate: SiteCertificate;
  readonly secret: SecretRecord;
}

export async function setSite(deps: AdminDeps, caller: Caller, request: SetSiteRequest): Promise<ChangeResponse> {
  if (request.addAliases.length > MAX_ALIASES || request.removeAliases.length > MAX_ALIASES) {
    throw new AegirError('invalid_argument', `cannot change so many aliases at once: ${MAX_ALIASES} are the most`);
  }
  const add = request.addAliases.map((name) => hostName(name, 'alias'));
  const remove = new Set(request.removeAliases.map((name) => hostName(name, 'alias')));
  await requireSnippetRight(deps, caller, request);
  const uploaded = uploadedCertificate(deps, request);
  const users = await newUsers(deps, caller, request);
  // As the API has it: 64-bit numbers are none in JSON.
  const { options, certificatePem: _, keyPem: __, authUsers: ___, ...asked } = request;
  const secretKeys = [
    ...(uploaded === undefined ? [] : ['the key of the certificate']),
    ...users.users.map(({ name }) => `the password of ${name}`),
  ];
  const kept = {
    method: 'site.set' as const,
    ...(SetSiteRequestMessage.toJSON({
      ...asked,
      certificatePem: '',
      keyPem: '',
      authUsers: [],
      options: undefined,
    }) as JsonObject),
    secretKeys,
  };
  const decide = (graph: Graph): Decision => {
    const site = findSite(graph, request.site);
    requireState(site, ['enabled', 'disabled'], 'change');
    for (const name of remove) {
      if (site.aliases.includes(name)) continue;
      throw new AegirError('not_found', `cannot take ${name} from ${site.name}: it is none of its aliases`);
    }
    const aliases = [...new Set([...site.aliases.filter((name) => !remove.has(name)), ...add])];
    if (aliases.length > MAX_ALIASES) {
      throw new AegirError('invalid_argument', `cannot give ${site.name} so many names: ${MAX_ALIASES} are the most`);
    }
    const changed: SiteRecord = { ...site, aliases };
    requireFreeNames(graph, changed);
    requireFreeRecords(graph, add);
    const web = checkWeb(graph, changed, {
      https: https(request.https ?? (uploaded === undefined ? site.web.https : 'own')),
      redirect: request.httpsRedirect ?? site.web.redirect,
      hstsSeconds: request.hstsSeconds ?? site.web.hstsSeconds,
      redirectTo: request.redirectTo === undefined ? site.web.redirectTo : nameOrNone(request.redirectTo),
      php: checkPhp(site.web.php, request),
    });
    requirePhp(graph, site, request);
    requireOwn(changed, web, uploaded);
    if (request.https === 'acme' || request.https === 'acme-dns') requireAgreed(deps, site.name);
    if (web.https === 'acme-dns') requireProvable(graph, changed);
    const auth = accessOf(site, request, users);
    const snippet = snippetOf(graph, site, request);
    const cronSeconds = checkCron(graph, site, request.cronSeconds);
    const to: SiteValues = {
      ...valuesOfSite(site),
      aliases,
      web,
      cronSeconds,
      auth,
      snippet,
      ...(uploaded === undefined ? {} : { certificate: { ...uploaded.certificate } }),
    };
    const draft = {
      ...changed,
      web,
      cronSeconds,
      auth,
      snippet,
      ...(uploaded === undefined ? {} : { certificate: uploaded.certificate }),
    };
    const secrets = [...(uploaded === undefined ? [] : [uploaded.secret]), ...users.secrets];
    return {
      plan: planSetSite(graph, site, to),
      draft: { site: draft, secrets },
      save: async (tx) => {
        for (const secret of secrets) await tx.secrets.insert(secret);
      },
    };
  };
  // Which versions there are, the server knows.
  if (options?.planOnly !== true && request.phpVersion !== undefined) await requireTaken(deps, caller, decide);
  return change(deps, caller, options, kept, decide);
}

export async function certifySite(deps: AdminDeps, caller: Caller, request: SiteRequest): Promise<ChangeResponse> {
  return change(deps, caller, request.options, { method: 'site.certify', site: request.site }, (graph) => {
    const site = findSite(graph, request.site);
    requireState(site, ['enabled', 'disabled'], 'get a certificate for');
    if (site.web.https === 'off' || site.web.https === 'own') {
      throw new AegirError(
        'failed_precondition',
        `cannot get a certificate for ${site.name}: ` +
          (site.web.https === 'off'
            ? `it is served without HTTPS; first: aegir site set ${site.name} --https acme`
            : `it has one of your own; give another with: aegir site set ${site.name} --certificate FILE --certificate-key FILE`),
      );
    }
    if (site.web.https !== 'self-signed') requireAgreed(deps, site.name);
    if (site.web.https === 'acme-dns') requireProvable(graph, site);
    return { plan: planCertifySite(graph, site) };
  });
}

/** The authority's terms are agreed to by a person, in a file: no task can do it, so none begins. */
function requireAgreed(deps: AdminDeps, name: string): void {
  if (deps.facts.acmeAgreed) return;
  throw termsNotAgreed(`get a certificate for ${name}`, deps.facts.configFile);
}

function uploadedCertificate(deps: AdminDeps, request: SetSiteRequest): Uploaded | undefined {
  const { certificatePem: chainPem, keyPem } = request;
  if (chainPem === '' && keyPem === '') return undefined;
  const refuse = (why: string): never => {
    throw new AegirError('invalid_argument', `cannot use that certificate: ${why}`);
  };
  if (chainPem.length > MAX_CERTIFICATE || keyPem.length > MAX_KEY) refuse('it is too long');
  if (chainPem === '' || keyPem === '') refuse('certificate and key are both needed');
  if (request.https !== undefined && request.https !== 'own') refuse(`HTTPS by ${request.https} makes its own`);
  try {
    const facts = deps.judgeCertificate(chainPem, keyPem);
    if (facts.notAfter <= deps.now()) refuse(`it ended at ${moment(facts.notAfter)}`);
    const id = deps.newId('sec');
    return {
      certificate: { source: 'own', ...facts, chainPem, keySecret: id },
      secret: { id, sealed: deps.seal(id, keyPem) },
    };
  } catch (thrown) {
    if (thrown instanceof AegirError) throw thrown;
    return refuse(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function https(text: string): SiteWeb['https'] {
  const found = SOURCES.find((source) => source === text);
  if (found !== undefined) return found;
  throw new AegirError(
    'invalid_argument',
    `cannot serve HTTPS by ${JSON.stringify(text)}: there are ${SOURCES.join(', ')}`,
  );
}

/** Where no PHP runs there is nothing to bound. */
function requirePhp(graph: Graph, site: SiteRecord, request: SetSiteRequest): void {
  const { phpVersion, phpChildren, phpMemoryBytes, phpBodyBytes, phpSeconds } = request;
  const asked = [phpVersion, phpChildren, phpMemoryBytes, phpBodyBytes, phpSeconds].some((each) => each !== undefined);
  if (!asked || graph.platform(site.platformId).app !== 'static') return;
  throw new AegirError('failed_precondition', `cannot set PHP of ${site.name}: a site of app static runs none`);
}

/** Bounds that keep a typing error from ending a server; the engine has wider ones. */
function checkPhp(now: SitePhp, request: SetSiteRequest): SitePhp {
  const version = request.phpVersion ?? now.version;
  if (!/^(?:[0-9]{1,2}\.[0-9]{1,2})?$/.test(version)) {
    throw new AegirError(
      'invalid_argument',
      `cannot use ${JSON.stringify(version)} as PHP version: 8.2 is one, for example`,
    );
  }
  const within = (
    what: string,
    value: bigint | number | undefined,
    before: number,
    least: number,
    most: number,
    show: (amount: number) => string = String,
  ) => {
    const wanted = value === undefined ? before : Number(value);
    if (wanted === 0 || (wanted >= least && wanted <= most)) return wanted;
    throw new AegirError(
      'invalid_argument',
      `cannot allow PHP ${what} of ${show(wanted)}: ${show(least)} to ${show(most)} is possible, or 0 for the default`,
    );
  };
  return {
    version,
    children: within('requests at once', request.phpChildren, now.children, 1, 500),
    memoryBytes: within('memory', request.phpMemoryBytes, now.memoryBytes, 32 * MIB, 16_384 * MIB, byteSize),
    bodyBytes: within('uploads', request.phpBodyBytes, now.bodyBytes, MIB, 16_384 * MIB, byteSize),
    seconds: within('time in seconds', request.phpSeconds, now.seconds, 5, 3600),
  };
}

function checkCron(graph: Graph, site: SiteRecord, seconds: number | undefined): number | null {
  if (seconds === undefined) return site.cronSeconds;
  const { app } = graph.platform(site.platformId);
  if (seconds > 0 && (app === '' || APPS[app].cronSeconds === 0)) {
    throw new AegirError('failed_precondition', `cannot run the cron of ${site.name}: a site of app ${app} has none`);
  }
  if (seconds === 0 || (seconds >= MIN_CRON_SECONDS && seconds <= MAX_CRON_SECONDS)) return seconds;
  throw new AegirError(
    'invalid_argument',
    `cannot run the cron of ${site.name} every ${seconds} s: ${MIN_CRON_SECONDS} s to ${MAX_CRON_SECONDS / 86_400} days, or 0 for off`,
  );
}

function nameOrNone(text: string): string {
  return text === '' ? '' : hostName(text, 'name to redirect to');
}

function checkWeb(graph: Graph, site: SiteRecord, web: SiteWeb): SiteWeb {
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot serve ${site.name} that way: ${why}`);
  };
  const service = graph.service(site.bindings.http);
  if (web.https !== 'off' && service.detected.ports[1] === undefined) {
    refuse(`${graph.serviceName(service)} has no port for HTTPS`);
  }
  const on = web.https !== 'off';
  if (!on && web.redirect) return checkWeb(graph, site, { ...web, redirect: false, hstsSeconds: 0 });
  if (web.hstsSeconds > MAX_HSTS_SECONDS) refuse(`HSTS for more than ${MAX_HSTS_SECONDS} s (two years)`);
  if (web.hstsSeconds > 0 && !(on && web.redirect)) refuse('HSTS needs HTTPS with the redirect to it');
  if (web.redirectTo !== '' && ![site.name, ...site.aliases].includes(web.redirectTo)) {
    refuse(`${web.redirectTo}, which all names shall lead to, is none of its names`);
  }
  return web;
}

/** A certificate of one's own names all names of the site. */
function requireOwn(site: SiteRecord, web: SiteWeb, uploaded: Uploaded | undefined): void {
  if (web.https !== 'own') return;
  const certificate = uploaded?.certificate ?? (site.certificate?.source === 'own' ? site.certificate : undefined);
  if (certificate === undefined) {
    throw new AegirError(
      'failed_precondition',
      `cannot serve ${site.name} with a certificate of your own: there is none; give it with --certificate and --certificate-key`,
    );
  }
  const has = new Set(certificate.names);
  const missing = [site.name, ...site.aliases].filter(
    (name) => !has.has(name) && !has.has(`*.${name.slice(name.indexOf('.') + 1)}`),
  );
  if (missing.length === 0) return;
  throw new AegirError(
    'failed_precondition',
    `cannot serve ${site.name} with that certificate: it is for ${certificate.names.join(', ')}, not for ${missing.join(', ')}`,
  );
}
