// PHP pools of sites, for any http engine: plans one site's pool in the PHP-FPM of its version and its absence from
// those of other versions. Not an engine: web servers without PHP do not need it.
import { join } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { Finding } from '../../../../shared/finding.ts';
import type { Host } from '../../../host/host.ts';
import { siteLayout } from '../../../host/site-layout.ts';
import type { ActionContext, Change, HttpSiteSpec, Observed } from '../../engine.ts';
import { siteFile, siteOfFile, where } from '../config/complaint.ts';
import type { ConfigSet } from '../config/config-set.ts';
import type { Locks } from '../config/lock.ts';
import { planBase, planFile } from '../config/plan-file.ts';
import { createFpmSet } from './fpm-set.ts';
import { phpLimits } from './limits.ts';
import { renderPool } from './render.ts';
import { choosePhp } from './version.ts';

export interface FpmPools {
  /** What PHP-FPM of the newest version needs before its first site; empty when there is no PHP. */
  prepare(ctx: ActionContext): Promise<readonly Change[]>;
  /** The site's pool, or none when it has no PHP; webUser is who connects to its socket. */
  plan(spec: HttpSiteSpec, webUser: string, ctx: ActionContext): Promise<readonly Change[]>;
  remove(siteId: string, subject: string, ctx: ActionContext): Promise<readonly Change[]>;
  /** The site's pool stays, without any of its workers: whoever just ends them gets new ones from PHP-FPM at once. */
  empty(siteId: string, subject: string, ctx: ActionContext): Promise<readonly Change[]>;
  inspect(ctx: ActionContext): Promise<readonly Observed[]>;
  check(ctx: ActionContext): Promise<readonly Finding[]>;
}

export function createFpmPools(locks: Locks): FpmPools {
  const absent = async (siteId: string, name: string, keep: string | undefined, ctx: ActionContext) => {
    const changes: Change[] = [];
    for (const version of await ctx.host.phpVersions()) {
      if (version === keep) continue;
      const set = await fpmSet(version, ctx);
      const edit = { name: siteFile(siteId), content: undefined, subject: `PHP ${version} pool of ${name}` };
      if (set) changes.push(...(await planFile(set, edit, locks, ctx)));
    }
    return changes;
  };

  return {
    async prepare(ctx) {
      const [newest] = await ctx.host.phpVersions();
      const set = newest === undefined ? undefined : await fpmSet(newest, ctx);
      return set ? [...(await planRunDirectory(ctx.host)), ...(await planBase(set, locks, ctx))] : [];
    },

    async plan(spec, webUser, ctx) {
      const { php } = spec.rules;
      if (php === undefined) return absent(spec.siteId, spec.name, undefined, ctx);
      const version = choosePhp(spec.php?.version ?? '', await ctx.host.phpVersions(), spec.name);
      const set = await fpmSet(version, ctx);
      if (set === undefined) {
        throw new AegirError(
          'failed_precondition',
          `cannot serve ${spec.name}: this server cannot drive its PHP-FPM ${version}; reinstall php${version}-fpm`,
        );
      }
      const layout = siteLayout(ctx.host.paths, spec.siteId, spec.sharedRoot);
      const content = renderPool({
        siteId: spec.siteId,
        layout,
        docroot: spec.rules.docroot,
        limits: phpLimits(spec.php),
        prepend: php.prepend,
        openBasedir: php.openBasedir,
        owners: ctx.host.kind === 'systemd' ? { user: layout.user, webUser } : undefined,
      });
      const edit = { name: siteFile(spec.siteId), content, subject: `PHP ${version} pool of ${spec.name}` };
      return [
        ...(await planRunDirectory(ctx.host)),
        // Both would listen on the same socket: the old one lets go of it first.
        ...(await absent(spec.siteId, spec.name, version, ctx)),
        ...(await planFile(set, edit, locks, ctx)),
      ];
    },

    remove: (siteId, name, ctx) => absent(siteId, name, undefined, ctx),

    async empty(siteId, name, ctx) {
      const changes: Change[] = [];
      for (const version of await ctx.host.phpVersions()) {
        const daemon = await ctx.host.daemon(`php-fpm@${version}`);
        if (!daemon || !(await ctx.host.files.exists(join(daemon.includeDir, siteFile(siteId))))) continue;
        changes.push({
          summary: `reload PHP-FPM ${version}, which ends what the pool of ${name} runs`,
          run: () => locks(daemon.name, () => daemon.reload()),
        });
      }
      return changes;
    },

    async inspect(ctx) {
      const observed: Observed[] = [];
      for (const version of await ctx.host.phpVersions()) {
        const daemon = await ctx.host.daemon(`php-fpm@${version}`);
        for (const name of daemon ? await ctx.host.files.list(daemon.includeDir) : []) {
          const siteId = siteOfFile(name);
          if (siteId !== undefined) observed.push({ siteId, what: `PHP ${version} pool` });
        }
      }
      return observed;
    },

    async check(ctx) {
      const versions = await ctx.host.phpVersions();
      if (versions.length === 0) {
        const text = 'no PHP-FPM: only static sites can be served; for others install it (Debian: apt install php-fpm)';
        return [{ subject: 'service:php-fpm', level: 'warning', text }];
      }
      const sets = await Promise.all(versions.map((version) => fpmSet(version, ctx)));
      return Promise.all(sets.filter((set) => set !== undefined).map((set) => checkSet(set, ctx)));
    },
  };
}

async function fpmSet(version: string, ctx: ActionContext): Promise<ConfigSet | undefined> {
  const daemon = await ctx.host.daemon(`php-fpm@${version}`);
  return daemon && createFpmSet(ctx.host, daemon, version, ctx);
}

async function checkSet(set: ConfigSet, ctx: ActionContext): Promise<Finding> {
  const subject = `service:${set.daemon.name}`;
  const { complaint } = await set.test(ctx);
  if (await set.daemon.isRunning()) {
    if (complaint === undefined) return { subject, level: 'ok', text: `${set.label} runs, its configuration is sound` };
    const text = `${set.label} runs, but its configuration is broken and it would not start again: ${where(complaint)}`;
    return { subject, level: 'error', text };
  }
  const carries = (await set.host.files.list(set.daemon.includeDir)).some((name) => siteOfFile(name) !== undefined);
  const why = complaint === undefined ? 'start it, or verify one of its sites' : `correct ${where(complaint)}`;
  return { subject, level: carries ? 'error' : 'warning', text: `${set.label} does not run: ${why}` };
}

/** Sockets lie in a directory that lives in memory on most hosts. */
async function planRunDirectory(host: Host): Promise<readonly Change[]> {
  const { run } = host.paths;
  if (await host.files.exists(run)) return [];
  return [{ summary: `make directory ${run}`, run: () => host.files.directory(run, { mode: 0o711 }) }];
}
