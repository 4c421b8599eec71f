// Renews the agent's certificate: a new key and request over the session's own channel, checked before it is kept.
import { X509Certificate } from 'node:crypto';
import { Metadata } from '@grpc/grpc-js';
import type { AgentServiceClient, RenewResponse } from '../../shared/gen/aegir/v1/agent.ts';
import { createKeyAndRequest } from '../csr.ts';
import { type AgentIdentity, checkIdentity } from '../identity.ts';
import { fromServiceError } from '../rpc.ts';

const TIMEOUT_MS = 30_000;
const DUE = 2 / 3; // of the lifetime
const LEAST_MS = 5_000;
const RETRY_MS = 60_000;

/** Milliseconds until the certificate is due. Never at once: a master that gives out old ones must not be hammered. */
export function untilRenewal(certificatePem: string, now: number): number {
  const { from, to } = validity(certificatePem);
  return Math.max(from + (to - from) * DUE - now, Math.min(LEAST_MS, Math.max(100, (to - now) / 2)));
}

export function validity(certificatePem: string): { readonly from: number; readonly to: number } {
  const certificate = new X509Certificate(certificatePem);
  return { from: certificate.validFromDate.getTime(), to: certificate.validToDate.getTime() };
}

/** Until the next try after one failed: a minute, or less when little is left. */
export function renewalRetry(certificatePem: string, now: number): number {
  return Math.max(1_000, Math.min(RETRY_MS, (validity(certificatePem).to - now) / 10));
}

/** The identity with a new key and certificate. Throws permission_denied when the server is revoked. */
export async function renew(client: AgentServiceClient, identity: AgentIdentity): Promise<AgentIdentity> {
  const { keyPem, csrPem } = await createKeyAndRequest(identity.serverId);
  const response = await new Promise<RenewResponse>((resolve, reject) => {
    client.renew({ csrPem }, new Metadata(), { deadline: Date.now() + TIMEOUT_MS }, (error, answer) => {
      if (error) reject(fromServiceError(error, 'renew the certificate'));
      else resolve(answer);
    });
  });
  const renewed = { ...identity, keyPem, certificatePem: response.certificatePem, caPem: response.caPem };
  checkIdentity(renewed);
  return renewed;
}
