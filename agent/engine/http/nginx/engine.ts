// The engine http/nginx: a virtual host per site in nginx's include directory, PHP through the site's FPM pool.
import { AegirError } from '../../../../shared/error.ts';
import type { Finding } from '../../../../shared/finding.ts';
import type { DetectedService } from '../../../../shared/gen/aegir/v1/agent.ts';
import { whyMissing } from '../../../../shared/missing.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { siteLayout } from '../../../host/site-layout.ts';
import { versionOf } from '../../../host/version.ts';
import type { Change, Checking, Engine, HttpSiteSpec, Preparing } from '../../engine.ts';
import { authPath, planAuthFile, planAuthTidying } from '../auth-files.ts';
import { siteFile, siteOfFile } from '../config/complaint.ts';
import type { Edit } from '../config/config-set.ts';
import { leftoverFault } from '../config/leftover.ts';
import { createLocks } from '../config/lock.ts';
import { planBase, planFile } from '../config/plan-file.ts';
import { requireElsewhere } from '../elsewhere.ts';
import { isForwarded } from '../forwarding.ts';
import { phpLimits } from '../fpm/limits.ts';
import { createFpmPools, type FpmPools } from '../fpm/pools.ts';
import { behindGate, inState, planQuiet } from '../held.ts';
import { planHostFiles } from '../host-files.ts';
import { planSiteLogs, planSiteLogsRemoval } from '../site-logs.ts';
import { snippetBlock, snippetFault } from '../snippet.ts';
import { planTlsFiles, planTlsTidying, tlsPaths } from '../tls-files.ts';
import { planTrust, trustPaths, upstreamOf } from '../upstream-trust.ts';
import { checkWebServer } from '../web-server-check.ts';
import { conflictingNames } from './complaint.ts';
import { createNginxSet, listeningOf } from './nginx-set.ts';
import { renderVirtualHost } from './render.ts';

const WORDS = { daemon: 'nginx', install: 'nginx-light', test: 'nginx -t' };

/** Engines that share PHP-FPM on one agent are given the same pools, so that they take turns. */
export function createNginxEngine(
  pools: FpmPools = createFpmPools(createLocks()),
): Engine<'http'> & Preparing & Checking {
  const locks = createLocks();
  return {
    type: 'http',
    name: 'nginx',
    daemon: 'nginx',
    capabilities: new Set(['php', 'tls', 'prepare', 'check']),

    async detect(host) {
      const daemon = await host.daemon('nginx');
      return daemon === undefined ? [] : [await detected(host, daemon)];
    },

    async inspect(_service, ctx) {
      const daemon = await ctx.host.daemon('nginx');
      const names = daemon ? await ctx.host.files.list(daemon.includeDir) : [];
      const sites = names.map(siteOfFile).filter((siteId) => siteId !== undefined);
      return [...sites.map((siteId) => ({ siteId, what: 'virtual host' })), ...(await pools.inspect(ctx))];
    },

    async plan(service, spec, ctx) {
      const daemon = await nginxOf(ctx.host, `serve ${spec.name}`);
      const places = [spec.state === 'moved' ? spec.upstream : undefined, spec.writer];
      await requireElsewhere(ctx.host, daemon, places, `lead visitors of ${spec.name}`);
      const layout = siteLayout(ctx.host.paths, spec.siteId);
      const edit = await virtualHost(service.id, spec, ctx.host, daemon);
      const set = await createNginxSet(ctx.host, daemon, ctx);
      const away = isForwarded(spec.state);
      // In order: nginx must find the logs, the certificate, and the socket that it passes requests to.
      const before = [
        ...(await planSiteLogs(ctx.host, layout, spec.name)),
        ...(await planTlsFiles(ctx.host, layout, spec.tls, spec.name)),
        ...(await planTrust(ctx.host, layout, spec)),
        ...(await planAuthFile(ctx.host, daemon, layout, spec.auth, spec.name)),
        ...(away ? [] : await pools.plan(spec, daemon.user, ctx)),
      ];
      const published = behindGate(await planFile(set, edit, locks, ctx), spec, layout);
      return [
        ...before,
        ...published,
        ...(await planQuiet(spec, layout, pools, published, ctx)),
        ...(await planTlsTidying(ctx.host, layout, spec.tls, spec.name, trustPaths(layout, spec))),
        ...(await planAuthTidying(ctx.host, layout, spec.auth, spec.name)),
      ];
    },

    async remove(_service, siteId, spec, ctx) {
      const layout = siteLayout(ctx.host.paths, siteId);
      const name = spec?.name ?? siteId;
      const daemon = await ctx.host.daemon('nginx');
      const changes: Change[] = [];
      if (daemon !== undefined) {
        const set = await createNginxSet(ctx.host, daemon, ctx);
        const edit = { name: siteFile(siteId), content: undefined, subject: `virtual host of ${name}` };
        changes.push(...(await planFile(set, { ...edit, makes: [layout.logs, layout.tls] }, locks, ctx)));
      }
      changes.push(...(await pools.remove(siteId, name, ctx)));
      changes.push(...(await planTlsTidying(ctx.host, layout, undefined, name)));
      changes.push(...(await planAuthTidying(ctx.host, layout, undefined, name)));
      changes.push(...(await planSiteLogsRemoval(ctx.host, layout, name)));
      return changes;
    },

    async prepare(_service, ctx) {
      const daemon = await nginxOf(ctx.host, 'prepare nginx');
      const set = await createNginxSet(ctx.host, daemon, ctx);
      return [...(await planHostFiles(ctx.host)), ...(await planBase(set, locks, ctx)), ...(await pools.prepare(ctx))];
    },

    async check(_service, ctx): Promise<readonly Finding[]> {
      const daemon = await ctx.host.daemon('nginx');
      const set = daemon && (await createNginxSet(ctx.host, daemon, ctx));
      return [...(await checkWebServer(set, WORDS, ctx)), ...(await pools.check(ctx))];
    },
  };
}

async function nginxOf(host: Host, doing: string): Promise<Daemon> {
  const daemon = await host.daemon('nginx');
  if (daemon !== undefined) return daemon;
  throw new AegirError(
    'failed_precondition',
    `cannot ${doing}: ${whyMissing(host, 'this server has no nginx that the agent drives; install it (Debian: apt install nginx-light)')}`,
  );
}

async function virtualHost(serviceId: string, spec: HttpSiteSpec, host: Host, daemon: Daemon): Promise<Edit> {
  const layout = siteLayout(host.paths, spec.siteId);
  const snippet = snippetBlock(spec.snippet, 'nginx', spec.name);
  const content = renderVirtualHost({
    siteId: spec.siteId,
    serviceId,
    name: spec.name,
    aliases: spec.aliases,
    state: spec.state,
    rules: spec.rules,
    limits: phpLimits(spec.php),
    logs: layout.logs,
    socket: layout.socket,
    gate: layout.gate,
    upstream: upstreamOf(spec, layout),
    writer: spec.writer,
    listening: await listeningOf(host, daemon),
    tls: spec.tls && {
      ...tlsPaths(layout, spec.tls),
      redirect: spec.tls.redirect, // Over plain HTTP it must not be sent (RFC 6797, 7.2), and there one server would do both.
      hstsSeconds: spec.tls.redirect ? spec.tls.hstsSeconds : 0,
    },
    challenges: spec.challenges,
    redirectTo: spec.redirectTo,
    fronts: spec.fronts,
    frontsOnly: spec.frontsOnly,
    othersHeld: spec.othersHeld,
    auth: spec.auth && { realm: spec.auth.realm, file: authPath(layout, spec.auth) },
    snippet,
  });
  const names = new Set([spec.name, ...spec.aliases]);
  return {
    name: siteFile(spec.siteId),
    content,
    subject: `virtual host of ${spec.name}${inState(spec.state)}`,
    makes: [layout.logs, layout.tls],
    mark: spec.tls === undefined ? '' : 'tls',
    explains: (complaint) => snippetFault(content, snippet, complaint, { label: 'nginx', site: spec.name }),
    async objects(warnings) {
      const taken = conflictingNames(warnings).filter((name) => names.has(name));
      if (taken.length === 0) return undefined;
      const leftover = await leftoverFault(host, daemon.includeDir, spec, taken);
      if (leftover !== undefined) return leftover;
      return new AegirError(
        'already_exists',
        `cannot serve ${spec.name}: nginx on this server already has another virtual host for ${taken.join(', ')}; ` +
          `take the name out of that one (nginx -T shows which) or out of this site; nothing was changed`,
      );
    },
  };
}

async function detected(host: Host, daemon: Daemon): Promise<DetectedService> {
  return {
    type: 'http',
    engine: 'nginx',
    instance: '',
    version: await versionOf(host, [daemon.program, '-v'], /nginx\/(\S+)/),
    ports: [daemon.port, ...(daemon.tlsPort === undefined ? [] : [daemon.tlsPort])],
    configRoots: [daemon.includeDir],
    running: await daemon.isRunning(),
    manageable: true,
    socket: '',
    capabilities: [
      ...((await host.phpVersions()).length > 0 ? ['php'] : []),
      ...(daemon.tlsPort === undefined ? [] : ['tls']),
    ],
  };
}
