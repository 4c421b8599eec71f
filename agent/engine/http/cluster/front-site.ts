// What a front keeps of one site: its names, where they lead, its certificate and challenges. Pure: made from the wire's
// spec, kept as JSON in a file of its own, read back with the same checks.
import { AegirError } from '../../../../shared/error.ts';
import type { HttpSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import { isId } from '../../../../shared/id.ts';
import type { SpreadRules, WebRules } from '../../../app/app.ts';
import { configName, configPattern, configSiteId } from '../config/quote.ts';
import { checkedChallenges, servedNames } from '../virtual-host.ts';

export interface FrontSite {
  readonly siteId: string;
  readonly clusterId: string;
  readonly sticky: boolean;
  /** Head that takes writes, and what any head may answer; left out where all heads are alike. */
  readonly writer?: { readonly head: string; readonly spread: SpreadRules };
  /** All of them, with what visitors are sent to over plain HTTP and over HTTPS; '' serves them. */
  readonly names: readonly { readonly name: string; readonly http: string; readonly https: string }[];
  /** Base name of the file of its certificate and key; '' for plain HTTP alone. */
  readonly pem: string;
  /** Strict-Transport-Security max-age; 0 for none. */
  readonly hsts: number;
  readonly challenges: readonly (readonly [token: string, answer: string])[];
}

export interface FrontPorts {
  readonly port: number;
  readonly tlsPort: number | undefined;
}

type Spec = Pick<
  HttpSpec,
  'siteId' | 'name' | 'aliases' | 'sticky' | 'tls' | 'challenges' | 'redirectTo' | 'writerHead'
> & { readonly rules: Pick<WebRules, 'spread'> };

/** An app without rules leaves nothing: any head may answer. */
const ALL: SpreadRules = { paths: ['^/'], except: [], cookies: [] };

/** pem: as pairName gives it; '' without TLS. Throws invalid_argument for what no front may be told. */
export function frontSite(spec: Spec, clusterId: string, pem: string, { port, tlsPort }: FrontPorts): FrontSite {
  const { tls } = spec;
  const { served, others } = servedNames(spec);
  const [target] = served;
  const at = (scheme: 'http' | 'https', name: string) => {
    const [own, usual] = scheme === 'http' ? [port, 80] : [tlsPort, 443];
    return `${scheme}://${name}${own === undefined || own === usual ? '' : `:${own}`}`;
  };
  const secured = tls?.redirect === true;
  const names = [...served, ...others].map((name) => {
    const other = others.includes(name);
    const canonical = others.length === 0 ? name : target;
    return {
      name,
      http: secured ? at('https', canonical) : other ? at('http', target) : '',
      https: other && tls !== undefined ? at('https', target) : '',
    };
  });
  return checkedSite({
    siteId: spec.siteId,
    clusterId,
    sticky: spec.sticky,
    ...(spec.writerHead === '' ? {} : { writer: { head: spec.writerHead, spread: spec.rules.spread ?? ALL } }),
    names,
    pem: pem === '' ? '' : `${spec.siteId}-${pem}.pem`,
    // Over plain HTTP it must not be sent (RFC 6797, 7.2), and who may come that way would be shut out later.
    hsts: secured ? (tls?.hstsSeconds ?? 0) : 0,
    challenges: checkedChallenges(spec),
  });
}

export function siteText(site: FrontSite): string {
  return `${JSON.stringify(site, undefined, 2)}\n`;
}

/** undefined for what we did not write. */
export function parseSite(text: string): FrontSite | undefined {
  try {
    return checkedSite(JSON.parse(text) as FrontSite);
  } catch {
    return undefined;
  }
}

/** Every value ends in configuration and maps of HAProxy. */
function checkedSite(site: FrontSite): FrontSite {
  const refuse = (what: string): never => {
    throw new AegirError(
      'invalid_argument',
      `cannot lead visitors to ${site.siteId}: its ${what} is not of the form it needs`,
    );
  };
  configSiteId(site.siteId);
  if (!isId('svc', site.clusterId)) refuse('cluster');
  if (typeof site.sticky !== 'boolean') refuse('stickiness');
  if (site.writer !== undefined) {
    const { head, spread } = site.writer;
    if (!isId('svc', head)) refuse('head that takes writes');
    // They stand in single quotes, in which nothing has a meaning but what ends them.
    for (const pattern of [...spread.paths, ...spread.except]) if (/'/.test(configPattern(pattern))) refuse('pattern');
    for (const cookie of spread.cookies) if (!/^[A-Za-z0-9_-]{1,64}$/.test(cookie)) refuse('cookie');
  }
  for (const { name, http, https } of site.names) {
    configName(name);
    for (const to of [http, https])
      if (to !== '' && !/^https?:\/\/[a-z0-9.-]+(?::[0-9]{1,5})?$/.test(to)) refuse('redirect');
  }
  if (site.pem !== '' && site.pem !== `${site.siteId}-${/[0-9a-f]{32}/.exec(site.pem)?.[0]}.pem`) refuse('certificate');
  if (!Number.isInteger(site.hsts) || site.hsts < 0) refuse('HSTS');
  checkedChallenges({ challenges: Object.fromEntries(site.challenges) });
  return site;
}
