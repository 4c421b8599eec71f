// Who vouches for the server that a site moved to: a file of certificates beside the site's own, by which a web server
// here judges the one that is shown there. The site's own certificate is on both; so what vouches for it here does there.
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { HttpSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { Host } from '../../host/host.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import type { Change } from '../engine.ts';
import { PRIVATE, pairName } from './tls-files.ts';
import type { Upstream } from './virtual-host.ts';

type Spec = Pick<HttpSpec, 'state' | 'name' | 'tls' | 'upstream'>;

/** Debian's authorities. */
const PUBLIC = '/etc/ssl/certs/ca-certificates.crt';
/** OpenSSL ends a chain at a certificate that is no root when it says of itself that it is trusted for servers. */
const FOR_SERVERS = Buffer.from('300c300a06082b06010505070301', 'hex');

export function upstreamOf(spec: Spec, layout: SiteLayout): Upstream | undefined {
  const { upstream } = spec;
  return upstream && { ...upstream, trust: trustPath(layout, spec) };
}

/** Files that the configuration of this spec names. */
export function trustPaths(layout: SiteLayout, spec: Spec): readonly string[] {
  const path = trustPath(layout, spec);
  return path === undefined ? [] : [path];
}

/** What must be there before a configuration may name it. */
export async function planTrust(host: Host, layout: SiteLayout, spec: Spec): Promise<readonly Change[]> {
  const path = trustPath(layout, spec);
  if (path === undefined || path === PUBLIC || spec.tls === undefined) return [];
  const content = trustedText(spec.tls.certificatePem);
  if (await host.files.matches(path, content, PRIVATE)) return [];
  return [
    {
      summary: `write who vouches for the certificate of ${spec.name} on the server that it moved to (${path})`,
      run: () => host.files.write(path, content, PRIVATE),
    },
  ];
}

function trustPath(layout: SiteLayout, { state, tls, upstream }: Spec): string | undefined {
  if (state !== 'moved' || tls === undefined || upstream === undefined || upstream.tlsPort === 0) return undefined;
  return trustedText(tls.certificatePem) === '' ? PUBLIC : join(layout.tls, `${pairName(tls)}.trust`);
}

/**
 * What vouches for the first certificate: itself when it does so itself, else those that follow it, in OpenSSL's form for
 * what is trusted; the first one is there besides, since Apache ends over a file without any of the plain form. Empty when
 * nothing follows.
 */
export function trustedText(certificatePem: string): string {
  const all = certificatePem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const [own, ...others] = all.map((pem) => new X509Certificate(pem));
  if (own === undefined) return '';
  if (own.checkIssued(own)) return block('CERTIFICATE', own.raw);
  if (others.length === 0) return '';
  const trusted = others.map(({ raw }) => block('TRUSTED CERTIFICATE', Buffer.concat([raw, FOR_SERVERS])));
  return `${trusted.join('')}${block('CERTIFICATE', own.raw)}`;
}

function block(name: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .match(/.{1,64}/g);
  return `-----BEGIN ${name}-----\n${(lines ?? []).join('\n')}\n-----END ${name}-----\n`;
}
