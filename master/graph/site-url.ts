// The public URL of a site, as its http service serves it.
import type { ServiceRecord, SiteRecord } from '../store/model.ts';

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

/** Without a trailing slash; the port only when it is not the scheme's own. Over HTTPS once there is a certificate. */
export function siteUrl(site: Pick<SiteRecord, 'name' | 'web' | 'certificate'>, http: ServiceRecord): string {
  const [plain = HTTP_PORT, secure] = http.detected.ports;
  const name = site.web.redirectTo === '' ? site.name : site.web.redirectTo;
  if (site.web.https !== 'off' && site.certificate !== null && secure !== undefined) {
    return `https://${name}${secure === HTTPS_PORT ? '' : `:${secure}`}`;
  }
  return `http://${name}${plain === HTTP_PORT ? '' : `:${plain}`}`;
}
