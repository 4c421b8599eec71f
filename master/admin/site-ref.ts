// How people name a site.
import { hostName } from '../../shared/name.ts';

/** An id, or a name as records have it, however people write it. Also of a site that is gone. */
export function siteRef(ref: string): string {
  return ref.startsWith('site-') && !ref.includes('.') ? ref : hostName(ref, 'site name');
}
