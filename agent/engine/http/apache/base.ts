// Renders our base file for Apache: what it has loaded of ours, and the virtual hosts that answer for names nobody has,
// the first of which tells which configuration is loaded. Pure.
import { type Manifest, renderManifest } from '../config/manifest.ts';
import { configPath } from '../config/quote.ts';
import { STATUS_NAME, STATUS_PATH } from '../config/status.ts';
import type { Listening } from '../virtual-host.ts';
import { listenAddresses, quoted, tlsListenAddresses } from './syntax.ts';

export interface ApacheBase {
  readonly listening: Listening;
  /** File with a certificate of nobody and its key (nobody.ts). */
  readonly nobody: string;
}

/** It sorts before every site, so Apache takes it for unknown names unless the operator has a virtual host before it. */
export function renderApacheBase(base: ApacheBase, manifest: Manifest, generation: string): string {
  return `# Base configuration of Aegir for Apache. What it has loaded for sites:
${renderManifest(manifest, '#')}
# Of the whole server; it has no place in a virtual host.
ServerTokens Prod

<VirtualHost ${listenAddresses(base.listening)}>
  ServerName ${STATUS_NAME}
  ServerSignature Off
  TraceEnable Off
  ProxyRequests Off
  ErrorDocument 200 "${generation}"
  ErrorDocument 404 "No site of this name is here."
  RewriteEngine On
  RewriteOptions IgnoreInherit
  RewriteRule "^" "-" [E=no-proxy:1]
  RewriteCond "%{HTTP_HOST}" "=${STATUS_NAME}"
  RewriteRule "^${STATUS_PATH}$" "-" [R=200,L]
  RewriteRule "^" "-" [R=404,L]
</VirtualHost>
${servesTls(manifest) ? tlsRefusal(base) : ''}`;
}

/** Whether the base file needs the certificate of nobody. */
export function servesTls(manifest: Manifest): boolean {
  return [...manifest.values()].some(({ mark }) => mark === 'tls');
}

/**
 * Names that nobody has get no certificate of anybody: with no cipher but those of pre-shared keys, of which there are
 * none, the handshake ends before one is shown. Apache chooses a site's own ciphers once it has read the name.
 */
function tlsRefusal({ listening, nobody }: ApacheBase): string {
  return `
<VirtualHost ${tlsListenAddresses(listening)}>
  ServerName ${STATUS_NAME}
  ServerSignature Off
  TraceEnable Off
  ProxyRequests Off
  SSLEngine on
  SSLCertificateFile ${quoted(configPath(nobody, 'certificate'))}
  SSLProtocol -all +TLSv1.2
  SSLCipherSuite PSK
  SSLSessionTickets off
  RewriteEngine On
  RewriteOptions IgnoreInherit
  RewriteRule "^" "-" [E=no-proxy:1]
  RewriteRule "^" "-" [R=404,L]
</VirtualHost>
`;
}
