// What nginx tells PHP about a request. Written out for each site: /etc/nginx/fastcgi_params is the operator's, and not
// on every host. Pure.
import type { PhpLimits } from '../fpm/limits.ts';

const PARAMS: readonly (readonly [name: string, value: string])[] = [
  ['GATEWAY_INTERFACE', 'CGI/1.1'],
  ['SERVER_SOFTWARE', 'nginx'],
  ['QUERY_STRING', '$query_string'],
  ['REQUEST_METHOD', '$request_method'],
  ['CONTENT_TYPE', '$content_type'],
  ['CONTENT_LENGTH', '$content_length'],
  // The real path, so that a docroot switched by link is not served from the opcode cache of the old one.
  ['DOCUMENT_ROOT', '$realpath_root'],
  ['SCRIPT_FILENAME', '$realpath_root$fastcgi_script_name'],
  ['SCRIPT_NAME', '$fastcgi_script_name'],
  ['DOCUMENT_URI', '$document_uri'],
  ['REQUEST_URI', '$request_uri'],
  ['SERVER_PROTOCOL', '$server_protocol'],
  ['REQUEST_SCHEME', '$scheme'],
  ['HTTPS', '$https if_not_empty'],
  ['REMOTE_ADDR', '$remote_addr'],
  ['REMOTE_PORT', '$remote_port'],
  ['SERVER_ADDR', '$server_addr'],
  ['SERVER_PORT', '$server_port'],
  ['SERVER_NAME', '$server_name'],
  // PHP built with force-cgi-redirect wants it.
  ['REDIRECT_STATUS', '200'],
  // A client's header "Proxy" must not become the proxy of the site's own requests (httpoxy, CVE-2016-5385).
  ['HTTP_PROXY', '""'],
];

/**
 * https: the variable that says whether the visitor came over HTTPS; nginx's own where it is not given. forApp: whoever
 * asks for passwords is the app; otherwise they are none of its business.
 */
export function fastcgiLines(
  limits: PhpLimits,
  { https = '$https', forApp }: { readonly https?: string | undefined; readonly forApp: boolean },
): string {
  const params = PARAMS.map(([name, value]) => [name, name === 'HTTPS' ? `${https} if_not_empty` : value] as const);
  return `
${params.map(([name, value]) => `  fastcgi_param ${name} ${value};\n`).join('')}${forApp ? '' : '  fastcgi_param HTTP_AUTHORIZATION "" if_not_empty;\n'}  fastcgi_buffer_size 32k;
  fastcgi_buffers 16 16k;
  fastcgi_read_timeout ${limits.serverSeconds}s;
`;
}
