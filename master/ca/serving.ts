// The certificate that a daemon of the master shows: a stable key on disk, a certificate that is made anew when its
// names change or two thirds of its life have passed, and word to whoever serves with it.
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { toAegirError } from '../../shared/error.ts';
import { hostName } from '../../shared/name.ts';
import { type Authority, newKeyPem } from './authority.ts';
import { createPrivate, privateDirectory, readPrivate, replacePrivate } from './durable-file.ts';

export interface ServingCredentials {
  /** Certificate, then the authority: a joining agent finds the pinned authority in what it is shown. PEM. */
  readonly chainPem: string;
  readonly keyPem: string;
  /** ms since 1970. */
  readonly notAfter: number;
}

export interface Serving {
  current(): ServingCredentials;
  /** Makes a new certificate when one is due; true when it did. Happens by itself every hour. */
  refresh(): Promise<boolean>;
  /** Told after every change; the answer ends it. */
  onChange(listener: () => void): () => void;
  close(): void;
}

export interface ServingOptions {
  readonly authority: Authority;
  readonly dir: string;
  /** Names the files: FILE.key and FILE.crt. */
  readonly file: string;
  /** URI SAN, for example aegir://master. */
  readonly identity: string;
  /** Host names and IP addresses that others reach it at; 0.0.0.0 and :: are left out. */
  readonly names: readonly string[];
  /** Mesh nodes also dial each other. */
  readonly clientAuth: boolean;
  readonly now: () => number;
  readonly log: Pick<Logger, 'info' | 'error'>;
}

const KEY_BITS = 3072;
const LIFE_MS = 90 * 24 * 3_600_000;
const LOOK_EVERY_MS = 3_600_000;

export async function openServing(options: ServingOptions): Promise<Serving> {
  const { authority, dir, file, identity, clientAuth, now, log } = options;
  const certificatePath = join(dir, `${file}.crt`);
  const listeners = new Set<() => void>();
  const { dns, ips } = splitNames(options.names);
  await privateDirectory(dir);
  const keyPem = await stableKey(join(dir, `${file}.key`));
  const publicKey = createPublicKey(keyPem);
  let current: ServingCredentials | undefined = await load();

  async function load(): Promise<ServingCredentials | undefined> {
    const pem = (await readPrivate(certificatePath))?.toString();
    if (pem === undefined) return undefined;
    const certificate = readable(pem);
    const ca = new X509Certificate(authority.caPem);
    const names = [`URI:${identity}`, ...dns.map((name) => `DNS:${name}`), ...ips.map(() => 'IP Address:')];
    if (certificate === undefined) return undefined;
    const good =
      certificate.checkPrivateKey(createPrivateKey(keyPem)) &&
      certificate.checkIssued(ca) &&
      certificate.verify(ca.publicKey) &&
      (certificate.keyUsage ?? []).length === (clientAuth ? 2 : 1) &&
      shapes(certificate.subjectAltName ?? '') === names.toSorted().join() &&
      ips.every((ip) => certificate.checkIP(ip) !== undefined) &&
      !isDue(certificate);
    return good ? { chainPem: pem, keyPem, notAfter: certificate.validToDate.getTime() } : undefined;
  }

  function isDue(certificate: X509Certificate): boolean {
    const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
    return now() < from || now() > from + ((to - from) * 2) / 3;
  }

  async function reissue(): Promise<ServingCredentials> {
    const issued = await authority.issueOwn({ identity, publicKey, dns, ips, clientAuth, lifeMs: LIFE_MS });
    const chainPem = `${issued.pem}${authority.caPem}`;
    await replacePrivate(certificatePath, chainPem);
    log.info({ file: certificatePath, until: new Date(issued.notAfter).toISOString() }, 'made a serving certificate');
    return { chainPem, keyPem, notAfter: issued.notAfter };
  }

  let serving = current ?? (await reissue());
  current = undefined;

  async function refresh(): Promise<boolean> {
    if (!isDue(new X509Certificate(serving.chainPem))) return false;
    serving = await reissue();
    for (const listener of listeners) listener();
    return true;
  }

  const timer = setInterval(() => {
    refresh().catch((thrown: unknown) => {
      log.error({ err: toAegirError(thrown, 'renew a serving certificate') }, `cannot renew ${certificatePath}`);
    });
  }, LOOK_EVERY_MS);
  timer.unref();

  return {
    current: () => serving,
    refresh,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => clearInterval(timer),
  };
}

async function stableKey(path: string): Promise<string> {
  const there = await readPrivate(path);
  if (there !== undefined) return there.toString();
  await createPrivate(path, await newKeyPem(KEY_BITS));
  return ((await readPrivate(path)) ?? '').toString();
}

/** What cannot be read is made anew; the key is what matters. */
function readable(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** The names of a certificate in order, addresses without their value: OpenSSL prints them in forms of its own. */
function shapes(subjectAltName: string): string {
  return subjectAltName
    .split(', ')
    .map((name) => (name.startsWith('IP Address:') ? 'IP Address:' : name))
    .toSorted()
    .join();
}

function splitNames(names: readonly string[]): { readonly dns: readonly string[]; readonly ips: readonly string[] } {
  const known = [...new Set(names)].filter((name) => name !== '0.0.0.0' && name !== '::');
  return {
    dns: known.filter((name) => isIP(name) === 0).map((name) => hostName(name, 'name of the master')),
    ips: known.filter((name) => isIP(name) !== 0),
  };
}
