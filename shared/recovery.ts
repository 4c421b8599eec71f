// What an agent signs to get a certificate after its own has expired.

/** The bytes of RecoverRequest.signature, as the proto says. */
export function recoveryProof(csrPem: string): Buffer {
  return Buffer.from(`aegir recover\n${csrPem}`);
}
