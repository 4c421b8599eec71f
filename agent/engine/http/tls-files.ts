// A site's certificate and key on disk, for any http engine: files named by the certificate's fingerprint, so that a
// configuration never sees a certificate with another one's key, and the old pair goes when nothing names it any more.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { AegirError } from '../../../shared/error.ts';
import type { TlsSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { FileOptions, Host } from '../../host/host.ts';
import type { SiteLayout } from '../../host/site-layout.ts';
import type { Change } from '../engine.ts';

export interface TlsPaths {
  readonly certificate: string;
  readonly key: string;
}

/** Web servers read them before they give up their privileges. */
export const PRIVATE: FileOptions = { mode: 0o600, owner: 'root', group: 'root' };
const DIRECTORY: FileOptions = { mode: 0o700, owner: 'root', group: 'root' };

/** By the certificate's fingerprint. Throws invalid_argument unless certificate and key belong together. */
export function pairName(tls: TlsSpec): string {
  try {
    const certificate = usablePair(tls.certificatePem, tls.keyPem);
    return certificate.fingerprint256.replaceAll(':', '').toLowerCase().slice(0, 32);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AegirError('invalid_argument', `cannot use that certificate: ${why}`, { cause });
  }
}

/** The first certificate, when web servers will take it: they refuse weak keys, and Apache ends over what it refuses. */
export function usablePair(certificatePem: string, keyPem: string): X509Certificate {
  const certificate = new X509Certificate(certificatePem);
  if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) throw new Error('the key is that of another one');
  // The level of Debian's OpenSSL, which need not be that of the one here.
  createSecureContext({ cert: certificatePem, key: keyPem, ciphers: 'DEFAULT@SECLEVEL=2' });
  return certificate;
}

export function tlsPaths(layout: SiteLayout, tls: TlsSpec): TlsPaths {
  const name = pairName(tls);
  return { certificate: join(layout.tls, `${name}.crt`), key: join(layout.tls, `${name}.key`) };
}

/** What must be there before a configuration may name them. */
export async function planTlsFiles(
  host: Host,
  layout: SiteLayout,
  tls: TlsSpec | undefined,
  name: string,
): Promise<readonly Change[]> {
  if (tls === undefined) return [];
  const paths = tlsPaths(layout, tls);
  const there =
    (await host.files.directoryMatches(layout.tls, DIRECTORY)) &&
    (await host.files.matches(paths.certificate, tls.certificatePem, PRIVATE)) &&
    (await host.files.matches(paths.key, tls.keyPem, PRIVATE));
  if (there) return [];
  const until = new X509Certificate(tls.certificatePem).validToDate.toISOString().slice(0, 10);
  return [
    {
      summary: `write the certificate of ${name}, valid until ${until}, and its key to ${layout.tls}`,
      async run() {
        await host.files.directory(layout.tls, DIRECTORY);
        await host.files.write(paths.key, tls.keyPem, PRIVATE);
        await host.files.write(paths.certificate, tls.certificatePem, PRIVATE);
      },
    },
  ];
}

/** What no configuration names once the one of this spec is loaded. */
export async function planTlsTidying(
  host: Host,
  layout: SiteLayout,
  tls: TlsSpec | undefined,
  name: string,
  /** Others that the configuration names. */
  named: readonly string[] = [],
): Promise<readonly Change[]> {
  const there = await host.files.list(layout.tls);
  if (tls === undefined) {
    if (there.length === 0 && !(await host.files.exists(layout.tls))) return [];
    return [{ summary: `remove certificates of ${name}`, run: () => host.files.remove(layout.tls) }];
  }
  const { certificate, key } = tlsPaths(layout, tls);
  const kept = [certificate, key, ...named];
  const old = there.map((file) => join(layout.tls, file)).filter((path) => !kept.includes(path));
  if (old.length === 0) return [];
  return [
    {
      summary: `remove former certificates of ${name}`,
      async run() {
        for (const path of old) await host.files.remove(path);
      },
    },
  ];
}
