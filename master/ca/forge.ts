// The only file of the master that knows node-forge: it takes certificate requests apart and puts certificates
// together. Private keys never come here; signing and judging are done with node:crypto.
import forge from 'node-forge';

const { asn1, pki } = forge;

/** What @types/node-forge leaves out. */
type Undeclared = { getTBSCertificate(certificate: forge.pki.Certificate): forge.asn1.Asn1 };

export interface RequestParts {
  /** SubjectPublicKeyInfo. */
  readonly publicKeyDer: Buffer;
  /** What the signature is over. */
  readonly signed: Buffer;
  readonly signature: Buffer;
  readonly hash: 'sha256' | 'sha384' | 'sha512';
}

export interface CertificateFields {
  /** Hexadecimal, positive, no leading zero byte. */
  readonly serial: string;
  readonly commonName: string;
  readonly issuerName: string;
  readonly publicKeyDer: Uint8Array;
  /** Of the authority; for its own certificate the same as publicKeyDer. */
  readonly issuerKeyDer: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Absent for an authority. */
  readonly leaf?: LeafFields;
}

export interface LeafFields {
  readonly uri: string;
  readonly dns: readonly string[];
  readonly ips: readonly string[];
  readonly serverAuth: boolean;
  readonly clientAuth: boolean;
}

export interface UnsignedCertificate {
  /** To be signed with SHA-256 and RSA (PKCS #1 v1.5). */
  readonly toSign: Buffer;
  withSignature(signature: Uint8Array): string;
}

const HASHES: Readonly<Record<string, RequestParts['hash'] | undefined>> = {
  [oid('sha256WithRSAEncryption')]: 'sha256',
  [oid('sha384WithRSAEncryption')]: 'sha384',
  [oid('sha512WithRSAEncryption')]: 'sha512',
};

/** Throws for whatever is no well-formed PKCS#10 request of an RSA key. Nothing is verified here. */
export function readRequest(pem: string): RequestParts {
  const request = pki.certificationRequestFromPem(pem) as forge.pki.CertificateSigningRequest & {
    readonly signatureOid: string;
    readonly signature: string;
    readonly certificationRequestInfo: forge.asn1.Asn1;
  };
  const hash = HASHES[request.signatureOid];
  if (hash === undefined) throw new Error('it is signed by another algorithm than RSA with SHA-256, 384 or 512');
  if (request.publicKey === null) throw new Error('it has no key');
  return {
    publicKeyDer: der(pki.publicKeyToAsn1(request.publicKey)),
    signed: der(request.certificationRequestInfo),
    signature: bytes(request.signature),
    hash,
  };
}

export function buildCertificate(fields: CertificateFields): UnsignedCertificate {
  const certificate = pki.createCertificate() as forge.pki.Certificate & { tbsCertificate: forge.asn1.Asn1 };
  certificate.serialNumber = fields.serial;
  certificate.publicKey = publicKey(fields.publicKeyDer);
  certificate.validity.notBefore = fields.notBefore;
  certificate.validity.notAfter = fields.notAfter;
  certificate.setSubject([{ name: 'commonName', value: fields.commonName }]);
  certificate.setIssuer([{ name: 'commonName', value: fields.issuerName }]);
  certificate.setExtensions(extensions(fields));
  certificate.signatureOid = oid('sha256WithRSAEncryption');
  certificate.siginfo.algorithmOid = certificate.signatureOid;
  certificate.tbsCertificate = toBeSigned(certificate);
  return {
    toSign: der(certificate.tbsCertificate),
    withSignature(signature) {
      certificate.signature = Buffer.from(signature).toString('latin1');
      return pki.certificateToPem(certificate).replaceAll('\r\n', '\n');
    },
  };
}

function extensions({ leaf, issuerKeyDer }: CertificateFields): object[] {
  if (leaf === undefined) {
    return [
      { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
      { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
      { name: 'subjectKeyIdentifier' },
    ];
  }
  const keyIdentifier = pki.getPublicKeyFingerprint(publicKey(issuerKeyDer), { type: 'RSAPublicKey' }).getBytes();
  return [
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: leaf.serverAuth, clientAuth: leaf.clientAuth },
    {
      name: 'subjectAltName',
      altNames: [
        { type: 6, value: leaf.uri },
        ...leaf.dns.map((value) => ({ type: 2, value })),
        ...leaf.ips.map((ip) => ({ type: 7, ip })),
      ],
    },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier },
  ];
}

function toBeSigned(certificate: forge.pki.Certificate): forge.asn1.Asn1 {
  return (pki as unknown as Undeclared).getTBSCertificate(certificate);
}

function publicKey(spki: Uint8Array): forge.pki.rsa.PublicKey {
  return pki.publicKeyFromAsn1(asn1.fromDer(Buffer.from(spki).toString('latin1'))) as forge.pki.rsa.PublicKey;
}

function der(value: forge.asn1.Asn1): Buffer {
  return bytes(asn1.toDer(value).getBytes());
}

/** forge keeps bytes as characters 0 to 255. */
function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function oid(name: string): string {
  return pki.oids[name] ?? '';
}
