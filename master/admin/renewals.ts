// Certificates that are due: a task for each site, some at a time, and not again at once when it failed.
import { toAegirError } from '../../shared/error.ts';
import type { SiteRecord, TaskRecord } from '../store/model.ts';
import type { AdminDeps, Caller } from './deps.ts';
import { startRounds } from './rounds.ts';
import { certifySite } from './set-site.ts';

const EVERY_MS = 5 * 60_000;
const FIRST_MS = 30_000;
const MOST_AT_ONCE = 5;
const AFTER_FAILURE_MS = 3_600_000;
/** A failure that keeps on is tried more and more rarely: authorities count. */
const LONGEST_MS = 24 * 3_600_000;
const RENEWAL: Caller = { actor: 'renewal', role: 'admin' };

export interface Renewals {
  /** Answers the sites that a task was made for. */
  look(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export function startRenewals(deps: AdminDeps, log: { error(fields: object, text: string): void }): Renewals {
  const look = async (): Promise<readonly string[]> => {
    const started: string[] = [];
    for (const site of await deps.store.sites.find()) {
      if (started.length >= MOST_AT_ONCE) break;
      if (!isDue(site, deps.now()) || !(await mayTry(deps, site))) continue;
      try {
        await certifySite(deps, RENEWAL, { site: site.id, confirm: false, options: undefined });
        started.push(site.name);
      } catch (thrown) {
        // One that cannot be asked for keeps no other from it.
        log.error({ err: toAegirError(thrown, 'renew a certificate') }, `cannot renew the certificate of ${site.name}`);
      }
    }
    return started;
  };
  const rounds = startRounds(look, {
    ...{ firstMs: FIRST_MS, everyMs: EVERY_MS },
    onFailure: (thrown) =>
      log.error({ err: toAegirError(thrown, 'renew certificates') }, 'cannot look which certificates are due'),
  });
  return { look, close: rounds.close };
}

/** After two thirds of its life, when it lacks a name, or when it only stands in for one of the authority. */
export function isDue(site: SiteRecord, now: number): boolean {
  if (site.state !== 'enabled' || site.moving !== null) return false;
  const { https } = site.web;
  if (https === 'off' || https === 'own') return false;
  const { certificate } = site;
  if (certificate === null || certificate.source !== (https === 'acme-dns' ? 'acme' : https)) return true;
  if ([site.name, ...site.aliases].some((name) => !certificate.names.includes(name))) return true;
  return now >= certificate.notBefore + ((certificate.notAfter - certificate.notBefore) * 2) / 3;
}

async function mayTry(deps: AdminDeps, site: SiteRecord): Promise<boolean> {
  const tasks = await deps.store.tasks.list({ subjectId: site.id, limit: 20 });
  const ended = new Set(['succeeded', 'failed', 'cancelled']);
  if (tasks.some((task) => !ended.has(task.state))) return false;
  const tries = tasks.filter((task) => task.verb === 'site.certify');
  const since = tries.findIndex((task) => task.state === 'succeeded');
  const failures: readonly TaskRecord[] = since < 0 ? tries : tries.slice(0, since);
  const [last] = failures;
  if (last === undefined) return true;
  const pause = Math.min(AFTER_FAILURE_MS * 2 ** (failures.length - 1), LONGEST_MS);
  return deps.now() >= (last.finishedAt ?? last.createdAt) + pause;
}
