// The certificate of Apache's virtual host for names that nobody has. Apache does not speak TLS without one; this one is
// never shown: the virtual host takes no cipher that works with a certificate (base.ts). One file, with its key.
import { createPrivateKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Daemon, FileOptions, Host } from '../../../host/host.ts';
import type { Change } from '../../engine.ts';
import { STATUS_NAME } from '../config/status.ts';

const PRIVATE: FileOptions = { mode: 0o600, owner: 'root', group: 'root' };

export function nobodyPath(daemon: Pick<Daemon, 'includeDir'>): string {
  return join(dirname(daemon.includeDir), 'aegir-nobody.pem');
}

/** Must be there before the base configuration names it. */
export async function planNobody(host: Host, daemon: Daemon): Promise<readonly Change[]> {
  const path = nobodyPath(daemon);
  const there = await host.files.read(path);
  if (there !== undefined && isPair(there) && (await host.files.matches(path, there, PRIVATE))) return [];
  return [
    {
      summary: `write a certificate of nobody for names that no site has (${path})`,
      run: () => host.files.write(path, makeNobody(), PRIVATE),
    },
  ];
}

function isPair(pem: string): boolean {
  try {
    return new X509Certificate(pem).checkPrivateKey(createPrivateKey(pem));
  } catch {
    return false;
  }
}

/** Self-signed, of X.509 version 1 (RFC 5280, 4.1), P-256. */
export function makeNobody(): string {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(der(0x06, Buffer.from('2a8648ce3d040302', 'hex'))); // ecdsa-with-SHA256
  const commonName = sequence(der(0x06, Buffer.from('550403', 'hex')), der(0x0c, Buffer.from(STATUS_NAME)));
  const name = sequence(der(0x31, commonName));
  const validity = sequence(...['700101000000Z', '491231235959Z'].map((time) => der(0x17, Buffer.from(time))));
  const serial = der(0x02, Buffer.from([1]));
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const body = sequence(serial, algorithm, name, validity, name, spki);
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', body, privateKey)]));
  const lines =
    sequence(body, algorithm, signature)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n${key}`;
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
