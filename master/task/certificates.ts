// What tasks need to make and get certificates for sites; master/ca has both. And how they are kept.
import type { SiteCertificate, SiteIssuing, SiteRecord } from '../store/model.ts';
import type { Tx } from '../store/store.ts';

export interface MadeCertificate {
  /** PEM, the site's own first. */
  readonly chainPem: string;
  readonly keyPem: string;
  readonly names: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  readonly issuer: string;
}

/** An ACME authority (RFC 8555). Every call may be repeated. */
export interface CertificateAuthority {
  order(names: readonly string[], by: 'http-01' | 'dns-01'): Promise<Pick<SiteIssuing, 'orderUrl' | 'challenges'>>;
  /** Throws failed_precondition when a name cannot be proved. */
  validate(challenges: SiteIssuing['challenges']): Promise<'valid' | 'pending'>;
  finish(orderUrl: string, names: readonly string[], keyPem: string): Promise<string | 'pending'>;
  newKey(): Promise<string>;
}

export interface CertificateTools {
  selfSigned(names: readonly string[], now: number): Promise<MadeCertificate>;
  /** What a chain says. Throws Error with a reason when chain and key do not fit. */
  judge(chainPem: string, keyPem: string): Omit<MadeCertificate, 'chainPem' | 'keyPem'>;
  readonly authority: CertificateAuthority;
  /** Whether all name servers that lead to the zone have these TXT records; true where none of them can be asked. */
  published(zone: string, proofs: readonly { readonly name: string; readonly data: string }[]): Promise<boolean>;
  /** A secret's id and what is kept of it. */
  seal(text: string): { readonly id: string; readonly sealed: string };
}

export function namesOf(site: Pick<SiteRecord, 'name' | 'aliases'>): readonly string[] {
  return [site.name, ...site.aliases];
}

/** Whether the certificate is good for all names of the site for a while. Wildcards stand for one label (RFC 6125). */
export function covers(certificate: SiteCertificate | null, names: readonly string[], now: number): boolean {
  if (certificate === null || certificate.notBefore > now || certificate.notAfter <= now) return false;
  const has = new Set(certificate.names);
  return names.every((name) => has.has(name) || has.has(`*.${name.slice(name.indexOf('.') + 1)}`));
}

/** Two thirds of its life are over. */
export function isOld(certificate: SiteCertificate | null, now: number): boolean {
  if (certificate === null) return true;
  return now >= certificate.notBefore + ((certificate.notAfter - certificate.notBefore) * 2) / 3;
}

/** Puts a certificate in the place of another, whose key is forgotten unless it is to be kept; both at once. */
export async function replaceCertificate(
  tx: Tx,
  siteId: string,
  made: MadeCertificate,
  source: SiteCertificate['source'],
  key: { readonly id: string; readonly sealed?: string },
  keep: string | undefined,
): Promise<void> {
  const site = await tx.sites.get(siteId);
  if (site === undefined) return;
  if (key.sealed !== undefined) await tx.secrets.insert({ id: key.id, sealed: key.sealed });
  const { chainPem, names, notBefore, notAfter, issuer } = made;
  const certificate = { source, names, notBefore, notAfter, issuer, chainPem, keySecret: key.id };
  await tx.sites.update(siteId, { certificate });
  const old = site.certificate?.keySecret;
  if (old !== undefined && old !== key.id && old !== keep) await tx.secrets.delete(old);
}
