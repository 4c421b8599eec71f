// Renders what Apache does with the requests of a site that is not served here: all go on, to the gate of the site in the
// agent or to another server. Pure.
//
// Nothing is kept here: bodies and answers pass as they come, whatever their size. Apache cannot wait for a gate whose
// agent starts anew: it answers 503 with Retry-After then.
import { AWAY_PAGE, type Destination, destinationOf, FORWARD_SECONDS, loopMark, loopPattern } from '../forwarding.ts';
import { checkedChallenges, type VirtualHost } from '../virtual-host.ts';
import { OURS_GO_ON, quoted } from './syntax.ts';

const RETRY_AFTER = `  Header always set Retry-After 5 "expr=(%{REQUEST_STATUS} == 502 || %{REQUEST_STATUS} == 503) && -z resp('Retry-After')"
`;

/** secure: in the block for HTTPS. */
export function forwardingLines(host: VirtualHost, secure: boolean): string {
  const to = destinationOf(host, secure);
  const mine = checkedChallenges(host).map(([token]) => `  ProxyPass "/.well-known/acme-challenge/${token}" "!"\n`);
  return `  # It has been here.
  RewriteCond "%{HTTP:CDN-Loop}" "${loopPattern(host)}" [NV]
  RewriteRule "^" "-" [R=508,L]
  AllowEncodedSlashes NoDecode
  LimitRequestBody 0
  # Requests that are held, uploads and sockets of pages take their time.
  <IfModule mod_reqtimeout.c>
    RequestReadTimeout body=0
  </IfModule>
  ProxyTimeout ${FORWARD_SECONDS}
  ProxyPreserveHost On
  ProxyAddHeaders Off
  # Who the visitor is we say, and nobody else.
${OURS_GO_ON}  RequestHeader set X-Forwarded-For "expr=%{REMOTE_ADDR}"
  RequestHeader set X-Forwarded-Proto ${secure ? 'https' : 'http'}
${secure || host.fronts.length === 0 ? '' : `  RequestHeader set X-Forwarded-Proto https "expr=reqenv('HTTPS') == 'on'"\n`}  RequestHeader unset Forwarded
  RequestHeader append CDN-Loop ${loopMark(host)}
  ErrorDocument 502 ${quoted(AWAY_PAGE)}
  ErrorDocument 503 ${quoted(AWAY_PAGE)}
${RETRY_AFTER}${tlsLines(to)}${mine.join('')}${passLine(to)}`;
}

/** A connection for each request: one that is kept could end just as a form is sent on it. */
function passLine(to: Destination): string {
  const options = `nocanon retry=0 disablereuse=On flushpackets=On upgrade=ANY connectiontimeout=10 timeout=${FORWARD_SECONDS}`;
  return `  ProxyPass "/" ${quoted(urlOf(to))} ${options}\n`;
}

/** For those who are not let in yet (those): they go to the gate, whatever they ask for. The others no ProxyPass takes. */
export function waitingLines(those: string, socket: string): string {
  return `  ProxyPreserveHost On
  ProxyAddHeaders Off
  # Who the visitor is we say, and nobody else.
${OURS_GO_ON}  RequestHeader set X-Forwarded-For "expr=%{REMOTE_ADDR}" env=aegir_gate
  RequestHeader set X-Forwarded-Proto "expr=%{REQUEST_SCHEME}" env=aegir_gate
  RequestHeader set X-Forwarded-Proto https "expr=reqenv('aegir_gate') == '1' && reqenv('HTTPS') == 'on'"
  RequestHeader unset Forwarded env=aegir_gate
  ErrorDocument 502 ${quoted(AWAY_PAGE)}
  ErrorDocument 503 ${quoted(AWAY_PAGE)}
${RETRY_AFTER}${passLine({ kind: 'gate', socket })}  RewriteCond "%{CONN_REMOTE_ADDR}" "!${those}"
  RewriteRule "^" "-" [E=!no-proxy,E=aegir_gate:1,END]
`;
}

function urlOf(to: Destination): string {
  if (to.kind === 'gate') return `unix:${to.socket}|http://gate/`;
  return `http${to.trust === undefined ? '' : 's'}://${to.authority}/`;
}

/** Whoever is there shows the certificate of the site, as a visitor would demand it. */
function tlsLines(to: Destination): string {
  if (to.kind === 'gate' || to.trust === undefined) return '';
  return `  SSLProxyEngine On
  SSLProxyProtocol -all +TLSv1.2 +TLSv1.3
  SSLProxyVerify require
  SSLProxyVerifyDepth 5
  SSLProxyCheckPeerName On
  SSLProxyCheckPeerExpire On
  SSLProxyCACertificateFile ${quoted(to.trust)}
`;
}
