// Gets a certificate after the agent's own has expired: signed for with the old key, at the masters' enrolment address.
import { sign } from 'node:crypto';
import { Metadata } from '@grpc/grpc-js';
import { AegirError } from '../../shared/error.ts';
import { EnrolServiceClient, type RecoverResponse } from '../../shared/gen/aegir/v1/agent.ts';
import { recoveryProof } from '../../shared/recovery.ts';
import { createKeyAndRequest } from '../csr.ts';
import { type AgentIdentity, checkIdentity } from '../identity.ts';
import { CHANNEL_OPTIONS, fromServiceError, masterCredentials } from '../rpc.ts';

const TIMEOUT_MS = 30_000;

/**
 * The identity with a new key and certificate, from the first master that answers. Throws what the last one said:
 * permission_denied when the server is revoked, unauthenticated when it must join again, anything else to try again.
 */
export async function recover(identity: AgentIdentity): Promise<AgentIdentity> {
  const { keyPem, csrPem } = await createKeyAndRequest(identity.serverId);
  const signature = sign('sha256', recoveryProof(csrPem), identity.keyPem);
  const request = { certificatePem: identity.certificatePem, csrPem, signature };
  let last = new AegirError('failed_precondition', 'cannot recover the certificate: no master has said where');
  for (const address of identity.enrolAddresses) {
    const client = new EnrolServiceClient(address, masterCredentials(identity.caPem), CHANNEL_OPTIONS);
    try {
      const response = await new Promise<RecoverResponse>((resolve, reject) => {
        client.recover(request, new Metadata(), { deadline: Date.now() + TIMEOUT_MS }, (error, answer) => {
          if (error) reject(fromServiceError(error, `recover the certificate at ${address}`));
          else resolve(answer);
        });
      });
      const recovered = { ...identity, keyPem, certificatePem: response.certificatePem, caPem: response.caPem };
      checkIdentity(recovered);
      return recovered;
    } catch (error) {
      if (!(error instanceof AegirError)) throw error;
      if (error.code === 'permission_denied') throw error;
      last = error;
    } finally {
      client.close();
    }
  }
  throw last;
}
