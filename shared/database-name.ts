// Names of a site's database and its user, derived from the site's id alone, so that both sides and every engine agree.
import { idBody } from './id.ts';

/** 21 characters; letters, digits and underscore. */
export function databaseName(siteId: string): string {
  return `site_${idBody(siteId)}`;
}

/** 18 characters: within the 32 that MySQL allowed before MariaDB's 80. */
export function databaseUser(siteId: string): string {
  return `s_${idBody(siteId)}`;
}
