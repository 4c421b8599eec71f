// The engine http/apache: a virtual host per site in Apache's include directory, PHP through the site's FPM pool.
import { AegirError } from '../../../../shared/error.ts';
import type { Finding } from '../../../../shared/finding.ts';
import type { DetectedService } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { siteLayout } from '../../../host/site-layout.ts';
import type { Change, Checking, Engine, HttpSiteSpec, Preparing } from '../../engine.ts';
import { siteFile, siteOfFile } from '../config/complaint.ts';
import type { Edit } from '../config/config-set.ts';
import { createLocks } from '../config/lock.ts';
import { planBase, planFile } from '../config/plan-file.ts';
import { phpLimits } from '../fpm/limits.ts';
import { createFpmPools, type FpmPools } from '../fpm/pools.ts';
import { planHostFiles } from '../host-files.ts';
import { planSiteLogs, planSiteLogsRemoval } from '../site-logs.ts';
import { checkWebServer } from '../web-server-check.ts';
import { createApacheSet, listeningOf } from './apache-set.ts';
import { planModules } from './modules.ts';
import { renderVirtualHost } from './render.ts';
import { conflictingNames } from './virtual-hosts.ts';

const WORDS = { daemon: 'apache2', install: 'apache2', test: 'apache2ctl -S' };

/** Engines that share PHP-FPM on one agent are given the same pools, so that they take turns. */
export function createApacheEngine(
  pools: FpmPools = createFpmPools(createLocks()),
): Engine<'http'> & Preparing & Checking {
  const locks = createLocks();
  return {
    type: 'http',
    name: 'apache',
    daemon: 'apache2',
    capabilities: new Set(['php', 'prepare', 'check']),

    async detect(host) {
      const daemon = await host.daemon('apache2');
      return daemon === undefined ? [] : [await detected(host, daemon)];
    },

    async inspect(_service, ctx) {
      const daemon = await ctx.host.daemon('apache2');
      const names = daemon ? await ctx.host.files.list(daemon.includeDir) : [];
      const sites = names.map(siteOfFile).filter((siteId) => siteId !== undefined);
      return [...sites.map((siteId) => ({ siteId, what: 'virtual host' })), ...(await pools.inspect(ctx))];
    },

    async plan(_service, spec, ctx) {
      const daemon = await apacheOf(ctx.host, `serve ${spec.name}`);
      if (spec.tls !== undefined || Object.keys(spec.challenges).length > 0) {
        throw new AegirError(
          'failed_precondition',
          `cannot serve ${spec.name} over HTTPS: Aegir does that by nginx only; put the site on a platform of nginx`,
        );
      }
      const layout = siteLayout(ctx.host.paths, spec.siteId);
      const edit = virtualHost(spec, ctx.host, daemon);
      // In order: Apache must know the directives, find the logs, and the socket that it passes requests to.
      return [
        ...(await planModules(ctx.host, daemon)),
        ...(await planSiteLogs(ctx.host, layout, spec.name)),
        ...(await pools.plan(spec, daemon.user, ctx)),
        ...(await planFile(createApacheSet(ctx.host, daemon), edit, locks, ctx)),
      ];
    },

    async remove(_service, siteId, spec, ctx) {
      const layout = siteLayout(ctx.host.paths, siteId);
      const name = spec?.name ?? siteId;
      const daemon = await ctx.host.daemon('apache2');
      const changes: Change[] = [];
      if (daemon !== undefined) {
        const edit = { name: siteFile(siteId), content: undefined, subject: `virtual host of ${name}` };
        const set = createApacheSet(ctx.host, daemon);
        changes.push(...(await planFile(set, { ...edit, makes: [layout.logs] }, locks, ctx)));
      }
      changes.push(...(await pools.remove(siteId, name, ctx)));
      changes.push(...(await planSiteLogsRemoval(ctx.host, layout, name)));
      return changes;
    },

    async prepare(_service, ctx) {
      const daemon = await apacheOf(ctx.host, 'prepare Apache');
      const set = createApacheSet(ctx.host, daemon);
      return [
        ...(await planHostFiles(ctx.host)),
        ...(await planModules(ctx.host, daemon)),
        ...(await planBase(set, locks, ctx)),
        ...(await pools.prepare(ctx)),
      ];
    },

    async check(_service, ctx): Promise<readonly Finding[]> {
      const daemon = await ctx.host.daemon('apache2');
      const set = daemon && createApacheSet(ctx.host, daemon);
      return [...(await checkWebServer(set, WORDS, ctx)), ...(await pools.check(ctx))];
    },
  };
}

async function apacheOf(host: Host, doing: string): Promise<Daemon> {
  const daemon = await host.daemon('apache2');
  if (daemon !== undefined) return daemon;
  throw new AegirError(
    'failed_precondition',
    `cannot ${doing}: this server has no Apache that the agent drives; install it (Debian: apt install apache2)`,
  );
}

function virtualHost(spec: HttpSiteSpec, host: Host, daemon: Daemon): Edit {
  const layout = siteLayout(host.paths, spec.siteId);
  const content = renderVirtualHost({
    siteId: spec.siteId,
    name: spec.name,
    aliases: spec.aliases,
    state: spec.state,
    rules: spec.rules,
    limits: phpLimits(spec.php),
    logs: layout.logs,
    socket: layout.socket,
    listening: listeningOf(host, daemon),
    tls: undefined,
    challenges: {},
    redirectTo: spec.redirectTo,
    fronts: spec.fronts,
  });
  const names = new Set([spec.name, ...spec.aliases]);
  return {
    name: siteFile(spec.siteId),
    content,
    subject: `virtual host of ${spec.name}${spec.state === 'disabled' ? ' (disabled: it answers 503)' : ''}`,
    makes: [layout.logs],
    objects(warnings) {
      const taken = conflictingNames(warnings).filter((name) => names.has(name));
      if (taken.length === 0) return undefined;
      return new AegirError(
        'already_exists',
        `cannot serve ${spec.name}: Apache on this server already has another virtual host for ${taken.join(', ')}; ` +
          `take the name out of that one (apache2ctl -S shows which) or out of this site; nothing was changed`,
      );
    },
  };
}

async function detected(host: Host, daemon: Daemon): Promise<DetectedService> {
  const { stdout } = await host.run({ argv: [daemon.program, '-v'] });
  return {
    type: 'http',
    engine: 'apache',
    instance: '',
    version: /Apache\/(\S+)/.exec(stdout)?.[1] ?? '',
    ports: [daemon.port],
    configRoots: [daemon.includeDir],
    running: await daemon.isRunning(),
    manageable: true,
    socket: '',
    capabilities: (await host.phpVersions()).length > 0 ? ['php'] : [],
  };
}
