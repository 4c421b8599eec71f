// The public URL of a site, as its http service serves it.
import type { ServiceRecord } from '../store/model.ts';

const HTTP_PORT = 80;

/** Without a trailing slash; the port only when it is not 80. */
export function siteUrl(name: string, http: ServiceRecord): string {
  const port = http.detected.ports[0] ?? HTTP_PORT;
  return `http://${name}${port === HTTP_PORT ? '' : `:${port}`}`;
}
