// A serving certificate as gRPC servers take it: swapped while they listen, and streams that are open stay open.
import { experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { Serving } from './serving.ts';

/** With an authority (PEM), whoever has no certificate of it is refused before HTTP/2 begins. */
export function grpcCredentials(serving: Serving, caPem?: string): ServerCredentials {
  const ends = new Map<unknown, () => void>();
  const provider: experimental.CertificateProvider = {
    addIdentityCertificateListener(listener) {
      const tell = () => {
        const { chainPem, keyPem } = serving.current();
        listener({ certificate: Buffer.from(chainPem), privateKey: Buffer.from(keyPem) });
      };
      ends.set(listener, serving.onChange(tell));
      // grpc-js takes no news before this call has returned.
      process.nextTick(tell);
    },
    removeIdentityCertificateListener(listener) {
      ends.get(listener)?.();
      ends.delete(listener);
    },
    addCaCertificateListener(listener) {
      if (caPem !== undefined) process.nextTick(() => listener({ caCertificate: Buffer.from(caPem) }));
    },
    removeCaCertificateListener() {},
  };
  // The declaration names the parameters the other way round; the implementation takes the identity first.
  return experimental.createCertificateProviderServerCredentials(
    provider,
    caPem === undefined ? null : provider,
    caPem !== undefined,
  );
}
