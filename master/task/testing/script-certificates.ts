// Certificates for tests of tasks: made at once from nothing, an authority that is content after a while, secrets with
// ids that count.
import type { CertificateTools } from '../certificates.ts';

const DAY_MS = 86_400_000;

export interface ScriptCertificates extends CertificateTools {
  /** How often the authority says "pending" first. */
  pendings: number;
  /** How often name servers lack the proofs first. */
  lags: number;
}

export function createScriptCertificates(): ScriptCertificates {
  let made = 0;
  const certificate = (names: readonly string[], issuer: string) => ({
    ...{ chainPem: `certificate of ${names.join(' ')}`, keyPem: 'key', names, issuer },
    ...{ notBefore: 0, notAfter: Date.now() + 90 * DAY_MS },
  });
  const tools: ScriptCertificates = {
    pendings: 0,
    lags: 0,
    selfSigned: async (names) => certificate(names, 'itself'),
    judge(chainPem) {
      const { chainPem: _, keyPem, ...facts } = certificate(chainPem.split(' ').slice(2), 'authority');
      return facts;
    },
    authority: {
      order: async (names, type) => ({
        orderUrl: `order of ${names.join(' ')}`,
        challenges: names.map((name) => ({ name, type, url: name, authorization: name, token: name, answer: name })),
      }),
      async validate() {
        if (tools.pendings === 0) return 'valid';
        tools.pendings -= 1;
        return 'pending';
      },
      finish: async (_url, names) => `certificate of ${names.join(' ')}`,
      newKey: async () => 'key',
    },
    async published() {
      if (tools.lags === 0) return true;
      tools.lags -= 1;
      return false;
    },
    seal(text) {
      made += 1;
      const id = `sec-${String(made).padStart(16, '9')}`;
      return { id, sealed: `${id}:${text}` };
    },
  };
  return tools;
}
