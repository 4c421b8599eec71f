// Renders our base file for Apache: what it has loaded of ours, and the virtual host that answers for names nobody has
// and tells which configuration is loaded. Pure.
import { type Manifest, renderManifest } from '../config/manifest.ts';
import { STATUS_NAME, STATUS_PATH } from '../config/status.ts';
import type { Listening } from '../virtual-host.ts';
import { listenAddresses } from './syntax.ts';

/** It sorts before every site, so Apache takes it for unknown names unless the operator has a virtual host before it. */
export function renderApacheBase(listening: Listening, manifest: Manifest, generation: string): string {
  return `# Base configuration of Aegir for Apache. What it has loaded for sites:
${renderManifest(manifest, '#')}
# Of the whole server; it has no place in a virtual host.
ServerTokens Prod

<VirtualHost ${listenAddresses(listening)}>
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
`;
}
