// A site's record goes, with its secrets.
import type { SiteRecord } from '../store/model.ts';
import type { Tx } from '../store/store.ts';

/** Repeatable: the second time there is nothing. */
export async function forgetSite(tx: Tx, siteId: string): Promise<void> {
  const site: SiteRecord | undefined = await tx.sites.get(siteId);
  if (site === undefined) return;
  await tx.sites.delete(siteId);
  const keys = [site.certificate?.keySecret, site.issuing?.keySecret];
  const secrets = [site.saltSecret, site.dbPasswordSecret, ...keys, site.auth?.probe];
  for (const { secret } of site.auth?.users ?? []) await tx.secrets.delete(secret);
  for (const secret of secrets) if (typeof secret === 'string') await tx.secrets.delete(secret);
}
