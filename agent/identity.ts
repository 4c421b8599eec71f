// The agent's identity on disk: key, certificate, authorities, who it is and where the masters are, as one file that
// is replaced whole, so that a crash leaves the old or the new one, never a key without its certificate.
import { createPublicKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { AegirError } from '../shared/error.ts';
import { isId } from '../shared/id.ts';
import { serverIdentity } from '../shared/identity.ts';
import type { Files } from './host/host.ts';
import { hasIdentity } from './peer.ts';

export interface AgentIdentity {
  readonly serverId: string;
  readonly name: string;
  readonly keyPem: string;
  readonly certificatePem: string;
  /** Authorities to trust, concatenated. */
  readonly caPem: string;
  /** host:port, in order of preference. */
  readonly masters: readonly string[];
  /** Where to ask for a certificate when the own one has expired; empty when no master has said yet. */
  readonly enrolAddresses: readonly string[];
}

export interface IdentityStore {
  readonly path: string;
  /** undefined before the host joined. */
  load(): Promise<AgentIdentity | undefined>;
  /** Durable when it resolves; 0600. */
  save(identity: AgentIdentity): Promise<void>;
}

const VERSION = 1;
const MAX_MASTERS = 50;

export function createIdentityStore(files: Files, stateDir: string): IdentityStore {
  const path = join(stateDir, 'identity.json');
  return {
    path,
    async load() {
      const text = await files.read(path);
      return text === undefined ? undefined : parseIdentity(text, path);
    },
    async save(identity) {
      checkIdentity(identity);
      if (!(await files.exists(stateDir))) await files.directory(stateDir, { mode: 0o700 });
      await files.write(path, `${JSON.stringify({ version: VERSION, ...identity }, null, 2)}\n`, { mode: 0o600 });
    },
  };
}

function parseIdentity(text: string, path: string): AgentIdentity {
  const broken = (why: string, cause?: unknown) =>
    new AegirError('data_loss', `cannot read the identity in ${path}: ${why}; join again with --again`, { cause });
  let value: Partial<AgentIdentity> & { version?: unknown };
  try {
    value = JSON.parse(text);
  } catch {
    throw broken('it is no JSON'); // the cause would quote the text, which holds the key
  }
  if (value.version !== VERSION) throw broken(`its form is ${String(value.version)}, known is ${VERSION}`);
  const identity: AgentIdentity = {
    serverId: String(value.serverId),
    name: String(value.name),
    keyPem: String(value.keyPem),
    certificatePem: String(value.certificatePem),
    caPem: String(value.caPem),
    masters: Array.isArray(value.masters) ? value.masters.map(String) : [],
    // Not there in files of version 0.1's first days.
    enrolAddresses: Array.isArray(value.enrolAddresses) ? value.enrolAddresses.map(String) : [],
  };
  try {
    checkIdentity(identity);
  } catch (error) {
    throw broken(error instanceof Error ? error.message : String(error));
  }
  return identity;
}

/** Throws unless key, certificate, authorities and id belong together. What a master answers is checked here too. */
export function checkIdentity(identity: AgentIdentity): void {
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot use the identity: ${why}`);
  };
  if (!isId('srv', identity.serverId)) refuse('its server id has another form');
  if (identity.masters.length === 0 || identity.masters.length > MAX_MASTERS) {
    refuse(`it needs 1 to ${MAX_MASTERS} masters`);
  }
  for (const address of [...identity.masters, ...identity.enrolAddresses.slice(0, MAX_MASTERS)]) parseAddress(address);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(identity.certificatePem);
    const key = createPublicKey(identity.keyPem).export({ type: 'spki', format: 'der' });
    if (!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(key)) {
      refuse('its certificate is for another key');
    }
  } catch (error) {
    if (error instanceof AegirError) throw error;
    throw new AegirError('failed_precondition', 'cannot use the identity: its key or certificate cannot be read', {
      cause: error,
    });
  }
  if (!hasIdentity(certificate.subjectAltName, serverIdentity(identity.serverId))) {
    refuse(`its certificate is not for ${identity.serverId}`);
  }
  const authorities = splitPem(identity.caPem);
  if (!authorities.some((authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey))) {
    refuse('none of its authorities signed its certificate');
  }
}

/** The certificates in concatenated PEM. Throws for what is none. */
export function splitPem(pem: string): readonly X509Certificate[] {
  const parts = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return parts.slice(0, 20).map((part) => new X509Certificate(part));
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** host:port, [v6]:port. */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]{1,253})):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port > 0 && port < 65_536)) {
    throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(text)} as a master: host:port is needed`);
  }
  return { host, port };
}
