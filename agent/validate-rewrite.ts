// Checks of what is asked of an agent about the content of a copied or moved site.
import type { RewriteSiteRequest, UpgradeSiteRequest } from '../shared/gen/aegir/v1/backup.ts';
import type { Origin } from './app/app.ts';
import { checkId, checkNames, checkSite, checkUrl, present, refuse, type ValidSite } from './validate-spec.ts';

export interface RewriteRequests {
  rewriteSite: { readonly site: ValidSite; readonly from: Origin };
  upgradeSite: { readonly site: ValidSite };
}

export function checkRewriteSite(request: RewriteSiteRequest): RewriteRequests['rewriteSite'] {
  const { oldUrl: url, oldNames, oldSiteId: siteId } = request;
  const site = siteOf(request.site);
  checkUrl(url, 'old_url');
  const [first, ...others] = [...new Set(oldNames)];
  if (others.length + 1 < oldNames.length) refuse('old_names', 'has a name twice');
  if (first !== undefined) checkNames(first, others, 'old_names');
  if (siteId !== '') checkId('site', siteId, 'old_site_id');
  return { site, from: { url, names: oldNames, siteId } };
}

export function checkUpgradeSite(request: UpgradeSiteRequest): RewriteRequests['upgradeSite'] {
  return { site: siteOf(request.site) };
}

/** What only an installer reads must not stand in the way. */
function siteOf(site: UpgradeSiteRequest['site']): ValidSite {
  return checkSite({ ...present(site, 'site'), title: '', locale: '', profile: '', adminName: '', adminMail: '' });
}
