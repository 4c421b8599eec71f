// How often the cron of a site runs. Pure.
import { APPS } from '../../shared/vocabulary.ts';
import type { PlatformRecord, SiteRecord } from '../store/model.ts';

/** Seconds between two runs; 0 for never. */
export function cronSeconds(site: SiteRecord, platform: PlatformRecord): number {
  const app = platform.app === '' ? 0 : APPS[platform.app].cronSeconds;
  // What cannot have any has none, whatever was chosen before.
  return app === 0 ? 0 : (site.cronSeconds ?? app);
}
