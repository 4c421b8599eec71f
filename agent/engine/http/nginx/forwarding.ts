// Renders what nginx does with the requests of a site that is not served here: all go on, to the gate of the site in the
// agent or to another server. Pure.
//
// Nothing is kept here: bodies and answers pass as they come, whatever their size. A gate that does not answer since its
// agent starts anew is asked again, a little later each time: nginx has no word for waiting, but it delays answers of 401
// (auth_delay), which a subrequest gives here. Only requests without a body can be sent a second time.
import { AWAY_PAGE, type Destination, destinationOf, FORWARD_SECONDS, loopMark, loopPattern } from '../forwarding.ts';
import type { VirtualHost } from '../virtual-host.ts';
import { quoted, siteVariable } from './syntax.ts';

/** Milliseconds before each further try: an agent is back within a few seconds. */
const WAITS = [250, 1000, 2000, 4000] as const;
/** Of our own; the site keeps every path that it may have. */
const DENIAL = '/.aegir-gate-is-away';

export function forwardingMaps(siteId: string): string {
  return `map $http_upgrade ${siteVariable('connection', siteId)} {
  default upgrade;
  "" close;
}
map "$request_method $content_length $http_transfer_encoding" ${siteVariable('once', siteId)} {
  default 1;
  "~^(?:GET|HEAD|OPTIONS) 0? $" "";
}
`;
}

export function loopMaps(host: VirtualHost): string {
  const mark = loopMark(host);
  return `map $http_cdn_loop ${siteVariable('marks', host.siteId)} {
  default "$http_cdn_loop, ${mark}";
  "" ${mark};
}
map $http_cdn_loop ${siteVariable('looped', host.siteId)} {
  default "";
  ${quoted(`~${loopPattern(host)}`)} 1;
}
`;
}

/** scheme: what stands for the scheme that the visitor came by. */
export function forwardingLines(host: VirtualHost, secure: boolean, scheme: string): string {
  const { siteId } = host;
  const to = destinationOf(host, secure);
  const pass = passLines(to);
  const again =
    to.kind === 'gate' ? '    error_page 502 = @aegir_wait_1;\n' : '    error_page 502 504 = @aegir_away;\n';
  return `  # It has been here.
  if (${siteVariable('looped', siteId)}) {
    return 508;
  }
${proxyLines(siteId, scheme)}  proxy_set_header CDN-Loop ${siteVariable('marks', siteId)};
${tlsLines(to)}  recursive_error_pages on;

  location / {
${again}${pass}  }
${to.kind === 'gate' ? tries(pass, siteId) : ''}${away()}`;
}

/** For those who are not let in yet (those): they go to the gate, whatever they ask for. */
export function waitingLines(siteId: string, those: string, socket: string, scheme: string): string {
  const pass = passLines({ kind: 'gate', socket });
  return `${proxyLines(siteId, scheme)}  recursive_error_pages on;
  error_page 418 = @aegir_gate;
  if ($realip_remote_addr !~ ${quoted(those)}) {
    return 418;
  }
  location @aegir_gate {
    auth_basic off;
    client_max_body_size 0;
    error_page 502 = @aegir_wait_1;
${pass}  }
${tries(pass, siteId)}${away()}`;
}

function proxyLines(siteId: string, scheme: string): string {
  return `  # Requests that are held, uploads and sockets of pages take their time.
  proxy_connect_timeout 10s;
  proxy_read_timeout ${FORWARD_SECONDS}s;
  proxy_send_timeout ${FORWARD_SECONDS}s;
  proxy_http_version 1.1;
  proxy_request_buffering off;
  proxy_buffering off;
  proxy_redirect off;
  proxy_next_upstream off;
  proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection ${siteVariable('connection', siteId)};
  # Who the visitor is we say, and nobody else.
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto ${scheme};
  proxy_set_header Forwarded "";
`;
}

function away(): string {
  return `  location @aegir_away {
    types { }
    default_type text/html;
    add_header Retry-After 5 always;
    add_header Cache-Control no-store always;
    return 503 ${quoted(AWAY_PAGE)};
  }
`;
}

function passLines(to: Destination): string {
  if (to.kind === 'gate') return `    proxy_pass ${quoted(`http://unix:${to.socket}`)};\n`;
  return `    proxy_pass http${to.trust === undefined ? '' : 's'}://${to.authority};\n`;
}

/** Whoever is there shows the certificate of the site, as a visitor would demand it. */
function tlsLines(to: Destination): string {
  if (to.kind === 'gate' || to.trust === undefined) return '';
  return `  proxy_ssl_server_name on;
  proxy_ssl_name $host;
  proxy_ssl_protocols TLSv1.2 TLSv1.3;
  proxy_ssl_verify on;
  proxy_ssl_verify_depth 5;
  proxy_ssl_trusted_certificate ${quoted(to.trust)};
`;
}

function tries(pass: string, siteId: string): string {
  const waits = WAITS.map((ms, index) => {
    const next = index + 1 < WAITS.length ? `@aegir_wait_${index + 2}` : '@aegir_away';
    return `  location @aegir_wait_${index + 1} {
    if (${siteVariable('once', siteId)}) {
      return 502;
    }
    error_page 401 = @aegir_try_${index + 1};
    error_page 502 = @aegir_away;
    auth_request ${DENIAL};
    auth_delay ${ms}ms;
  }
  location @aegir_try_${index + 1} {
    error_page 502 = ${next};
${pass}  }
`;
  });
  return `${waits.join('')}  location = ${DENIAL} {
    internal;
    return 401;
  }
`;
}
