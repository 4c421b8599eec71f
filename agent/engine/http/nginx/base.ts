// Renders our base file for nginx: what it has loaded of ours, the server that answers for names nobody has, and room
// for long names where the operator has not made it. Pure.
import { type Manifest, renderManifest } from '../config/manifest.ts';
import { STATUS_NAME, STATUS_PATH } from '../config/status.ts';
import type { Listening } from '../virtual-host.ts';
import { LOG_FORMAT, listenLines, tlsListenLines } from './syntax.ts';

/** Directives that may stand once only; a name of 253 characters needs a bucket of 512. */
const SIZES = { server_names_hash_bucket_size: 512, server_names_hash_max_size: 8192 } as const;
export type SizeDirective = keyof typeof SIZES;
export const SIZE_DIRECTIVES = Object.keys(SIZES) as readonly SizeDirective[];

export interface NginxBase {
  readonly listening: Listening;
  /** Those that the operator's own configuration does not have. */
  readonly sizes: readonly SizeDirective[];
}

/** It sorts before every site, so nginx takes its server for unknown names unless the operator has a default_server. */
export function renderNginxBase(base: NginxBase, manifest: Manifest, generation: string): string {
  return `# Base configuration of Aegir for nginx. What it has loaded for sites:
${renderManifest(manifest, '#')}
${base.sizes.map((name) => `${name} ${SIZES[name]};\n`).join('')}
# As "combined", but with all bytes that were sent: headers are traffic, too.
log_format ${LOG_FORMAT} '$remote_addr - $remote_user [$time_local] "$request" $status $bytes_sent '
  '"$http_referer" "$http_user_agent"';

server {
${listenLines(base.listening, '  ')}  server_name ${STATUS_NAME};
  access_log off;
  default_type text/plain;
  location = ${STATUS_PATH} {
    return 200 "${generation}";
  }
  location / {
    return 404 "No site of this name is here.\\n";
  }
}
${[...manifest.values()].some(({ mark }) => mark === 'tls') ? tlsRefusal(base.listening) : ''}`;
}

/**
 * Names that nobody has get no certificate of anybody. Only there while a site is served over TLS: until then the port
 * may be another program's.
 */
function tlsRefusal(listening: Listening): string {
  return `
server {
${tlsListenLines(listening, '  ')}  server_name ${STATUS_NAME};
  ssl_reject_handshake on;
}
`;
}

/** Which of them a text of configuration sets. */
export function sizesIn(config: string): readonly SizeDirective[] {
  return SIZE_DIRECTIVES.filter((name) => new RegExp(`^\\s*${name}\\s`, 'm').test(config));
}
