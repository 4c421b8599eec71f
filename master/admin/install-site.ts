// site.install: from what a person asks to a complete site record with its secrets.
import { databaseName, databaseUser } from '../../shared/database-name.ts';
import { AegirError } from '../../shared/error.ts';
import type { ChangeResponse, InstallSiteAdminRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { freeText, hostName, mailAddress } from '../../shared/name.ts';
import { APPS } from '../../shared/vocabulary.ts';
import { freshUid } from '../graph/cluster-rules.ts';
import type { Graph } from '../graph/graph.ts';
import { requireSite, requireUsable } from '../graph/rules.ts';
import { spreadFor } from '../graph/spread.ts';
import { planInstallSite } from '../plan/install-site.ts';
import { NO_PHP_LIMITS, type PlatformRecord, type SecretRecord, type SiteRecord } from '../store/model.ts';
import { change } from './change.ts';
import { chooseFor } from './choose-for-site.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { loadGraph } from './load.ts';
import { requireLanguage } from './site-language.ts';

const MAX_ALIASES = 100;
const MAX_TITLE = 200;
const MAX_MAIL = 254;

/** The site's own, unless its name is too long for an address (RFC 5321 section 4.5.3.1.3, less the brackets). */
function ownMail(name: string): string {
  const own = `admin@${name}`;
  return own.length <= MAX_MAIL ? own : 'admin@example.invalid';
}

export async function installSite(
  deps: AdminDeps,
  caller: Caller,
  request: InstallSiteAdminRequest,
): Promise<ChangeResponse> {
  const name = hostName(request.name, 'site name');
  if (request.aliases.length > MAX_ALIASES) {
    throw new AegirError('invalid_argument', `cannot install ${name}: ${MAX_ALIASES} aliases are the most`);
  }
  const aliases = request.aliases.map((alias) => hostName(alias, 'alias'));
  const title = freeText(request.title, 'title', MAX_TITLE) || request.name.slice(0, MAX_TITLE);
  const locale = wordOrEmpty(request.locale, 'locale', /^[A-Za-z]{2,3}([_-][A-Za-z0-9]{1,8}){0,3}$/);
  const profile = wordOrEmpty(request.profile, 'install profile', /^[a-z0-9_]{1,64}$/);
  const adminName =
    wordOrEmpty(request.adminName, 'administrator name', /^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,59}$/) || 'admin';
  if (request.adminMail !== '') mailAddress(request.adminMail, "administrator's mail address");

  const id = deps.newId('site');
  const password = makeSecret(deps);
  const salt = makeSecret(deps);
  const { options, ...asked } = request;
  if (locale !== '') {
    const graph = await loadGraph(deps.store);
    await requireLanguage(deps, graph, { platform: chooseFor(graph, request, name).platform, locale, name });
  }

  return change(deps, caller, options, { method: 'site.install', ...asked }, (graph) => {
    const { platform, db, client } = chooseFor(graph, request, name);
    const app = platform.app === '' ? undefined : APPS[platform.app];
    const profiles = platform.facts?.profiles ?? [];
    if (profile !== '' && !profiles.includes(profile)) {
      const has = profiles.length === 0 ? 'has no install profiles' : `has ${profiles.join(', ')}`;
      throw new AegirError(
        'invalid_argument',
        `cannot use install profile ${profile}: platform ${platform.name} ${has}`,
      );
    }
    if (app?.db === 'none' && request.db !== '') {
      throw new AegirError(
        'invalid_argument',
        `cannot bind ${name} to ${request.db}: ${platform.app} sites use no database`,
      );
    }
    const dns = chooseDns(graph, request.dns, platform, name, aliases);
    const site: SiteRecord = {
      id,
      name,
      aliases,
      state: 'installing',
      platformId: platform.id,
      bindings: {
        http: platform.serviceId,
        ...(db === undefined ? {} : { db: db.id }),
        ...(dns === undefined ? {} : { dns: dns.id }),
      },
      clientId: client?.id ?? null,
      title,
      locale,
      profile,
      adminName,
      adminMail: request.adminMail || client?.mail || ownMail(name),
      database: db === undefined ? '' : databaseName(id),
      dbUser: db === undefined ? '' : databaseUser(id),
      dbPasswordSecret: db === undefined ? null : password.id,
      saltSecret: salt.id,
      createdAt: deps.now(),
      web: { https: 'off', redirect: false, hstsSeconds: 0, redirectTo: '', php: NO_PHP_LIMITS },
      certificate: null,
      auth: null,
      snippet: null,
      moving: null,
      spread: spreadFor(graph, graph.service(platform.serviceId)),
      dnsByHand: false,
      proven: null,
      issuing: null,
      cronSeconds: null,
      uid: freshUid(graph, graph.service(platform.serviceId)),
    };
    requireSite(graph, site);
    const secrets: readonly SecretRecord[] = db === undefined ? [salt] : [salt, password];
    return {
      plan: planInstallSite(graph, site, platform.app === 'drupal' || platform.app === 'wordpress'),
      draft: { site, secrets },
      save: async (tx) => {
        for (const secret of secrets) await tx.secrets.insert(secret);
        await tx.sites.insert(site);
      },
    };
  });
}

export function makeSecret(deps: AdminDeps): SecretRecord {
  const id = deps.newId('sec');
  return { id, sealed: deps.seal(id, deps.newSecret()) };
}

/** Named, or the null engine on the web server when that is enabled. */
/** The service of the zone that holds the name; where none does, the null engine beside the web server. */
export function chooseDns(
  graph: Graph,
  ref: string,
  platform: PlatformRecord,
  name: string,
  aliases: readonly string[],
) {
  if (ref !== '') {
    const service = graph.service(ref, 'dns');
    requireUsable(graph, service, 'dns', `site ${name}`);
    const elsewhere = [name, ...aliases]
      .map((each) => graph.zoneOf(each))
      .find((zone) => zone?.serviceId !== service.id);
    if (elsewhere !== undefined) {
      const kept = graph.serviceName(graph.service(elsewhere.serviceId));
      throw new AegirError(
        'failed_precondition',
        `cannot use ${ref} for ${name}: zone ${elsewhere.name} is on ${kept}`,
      );
    }
    return service;
  }
  const zone = graph.zoneOf(name);
  if (zone !== undefined) return graph.service(zone.serviceId);
  const { serverId } = graph.service(platform.serviceId);
  return graph.enabled('dns').find((service) => service.serverId === serverId && service.engine === 'null');
}

function wordOrEmpty(text: string, what: string, form: RegExp): string {
  if (text === '' || form.test(text)) return text;
  throw new AegirError(
    'invalid_argument',
    `cannot use ${JSON.stringify(text)} as ${what}: it is not of the form ${form.source}`,
  );
}
