// The engine db/postgresql: a database and a role per site, reachable from the site's web servers only.
import { AegirError } from '../../../../shared/error.ts';
import type { DetectedService } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { DbSpec, ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import { whyMissing } from '../../../../shared/missing.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import { clusterDaemon } from '../../../host/postgresql-name.ts';
import { createSerial, type Serial } from '../../../host/serial.ts';
import { versionOf } from '../../../host/version.ts';
import type {
  ActionContext,
  Change,
  Checking,
  Dumping,
  Engine,
  Measuring,
  Preparing,
  ReplicatingByServers,
} from '../../engine.ts';
import { allowedHost, assertOwnNames, namesOf } from '../site-names.ts';
import { type Access, planAccess, planNoAccess } from './access.ts';
import { checkPostgresql } from './check.ts';
import { createClient } from './client.ts';
import { planNoDeputy } from './deputy.ts';
import { dumpDatabase } from './dump.ts';
import { planListening } from './listening.ts';
import { CONTENT, DATABASES, lookAtDatabase, lookAtRole, SIZES } from './look.ts';
import { planDatabase, planInside } from './plan-database.ts';
import { leaveElsewhere, planRole } from './plan-role.ts';
import { createReplicating, planNoReplication } from './replicating.ts';
import { restoreDatabase } from './restore.ts';
import { dropDatabase, dropRole } from './sql.ts';
import { statement } from './statement.ts';

export function createPostgresqlEngine(): Engine<'db'> &
  Preparing &
  Checking &
  Measuring &
  Dumping &
  ReplicatingByServers {
  const serials = new Map<string, Serial>();
  const accessTo = (host: Host, daemon: Daemon): Access => {
    const serial = serials.get(daemon.name) ?? createSerial();
    serials.set(daemon.name, serial);
    return { client: createClient(host, daemon), daemon, serial };
  };

  const replicating = createReplicating(async (service, doing, ctx) =>
    accessTo(ctx.host, await daemonOf(ctx.host, service, doing)),
  );

  return {
    ...replicating,
    type: 'db',
    name: 'postgresql',
    capabilities: new Set(['prepare', 'check', 'measure', 'network', 'dump', 'replicate']),

    async detect(host) {
      const found: DetectedService[] = [];
      for (const instance of await host.postgresqlClusters()) {
        const daemon = await host.daemon(clusterDaemon(instance));
        if (daemon !== undefined) found.push(await detected(host, daemon, instance));
      }
      return found;
    },

    async inspect(service, ctx) {
      const daemon = await daemonOf(ctx.host, service, 'look at the databases');
      const client = createClient(ctx.host, daemon);
      const names = await client.query(DATABASES, 'look at the databases', { signal: ctx.signal });
      return names.map((name) => ({ siteId: `site-${String(name).slice('site_'.length)}`, what: 'database' }));
    },

    async plan(service, spec, ctx) {
      assertOwnNames(spec);
      const from = [...new Set(spec.from.map(allowedHost))];
      const daemon = await daemonOf(ctx.host, service, `make database ${spec.database}`);
      const access = accessTo(ctx.host, daemon);
      return planSite(access, { ...spec, from }, ctx);
    },

    async remove(service, siteId, _spec, ctx) {
      const { database, user } = namesOf(siteId);
      const daemon = await daemonOf(ctx.host, service, `drop database ${database}`);
      const access = accessTo(ctx.host, daemon);
      const there = await lookAtDatabase(access.client, database, ctx);
      const role = await lookAtRole(access.client, user, database, ctx);
      const drop = (what: string, sql: string): Change => statement(access.client, `drop ${what}`, sql);
      return [
        ...(await planNoReplication(access, siteId, ctx)),
        ...(await planNoDeputy(access, siteId, ctx)),
        ...(there === undefined ? [] : [drop(`database ${database}`, dropDatabase(database, there.isTemplate))]),
        ...(role === undefined ? [] : leaveElsewhere(access.client, user, role, undefined)),
        ...(role === undefined ? [] : [drop(`user ${user}`, dropRole(user))]),
        // Last: until then its lines keep it out of everything else.
        ...(await planNoAccess(access, user, ctx)),
      ];
    },

    async prepare(service, ctx) {
      const daemon = await daemonOf(ctx.host, service, 'prepare it for sites');
      return planListening(createClient(ctx.host, daemon), daemon, ctx);
    },

    async measure(service, ctx) {
      const daemon = await daemonOf(ctx.host, service, 'measure the databases');
      const rows = await createClient(ctx.host, daemon).query(SIZES, 'measure the databases', { signal: ctx.signal });
      return rows.map((row) => {
        const { name, bytes } = row as { name: string; bytes: number };
        return { siteId: `site-${name.slice('site_'.length)}`, bytes };
      });
    },

    async *dump(service, spec, ctx, tell = () => {}) {
      assertOwnNames(spec);
      const daemon = await daemonOf(ctx.host, service, `dump database ${spec.database}`);
      yield* dumpDatabase(accessTo(ctx.host, daemon), spec, ctx, tell);
    },

    async restore(service, spec, dump, ctx) {
      assertOwnNames(spec);
      const daemon = await daemonOf(ctx.host, service, `restore database ${spec.database}`);
      await restoreDatabase(accessTo(ctx.host, daemon), spec, dump, ctx);
    },

    async content(service, spec, ctx) {
      assertOwnNames(spec);
      const doing = `look at database ${spec.database}`;
      const daemon = await daemonOf(ctx.host, service, doing);
      const { database } = spec;
      const [found] = await createClient(ctx.host, daemon).query(CONTENT, doing, { database, signal: ctx.signal });
      return found as { readonly tables: number; readonly bytes: number };
    },

    async check(service, ctx) {
      const daemon = await ctx.host.daemon(clusterDaemon(await instanceOf(ctx.host, service, 'check it')));
      if (daemon !== undefined) return checkPostgresql(daemon, ctx);
      return [
        {
          subject: 'service:postgresql',
          level: 'error',
          text: whyMissing(ctx.host, 'not installed; install postgresql'),
        },
      ];
    },
  };
}

/** The role first, which owns the database; who is let in last, when there is something to be let in to. */
async function planSite(access: Access, spec: DbSpec, ctx: ActionContext): Promise<readonly Change[]> {
  const { client } = access;
  const { database, user } = spec;
  const there = await lookAtDatabase(client, database, ctx);
  const role = await lookAtRole(client, user, database, ctx);
  const isThere = there !== undefined && there.limit !== -2;
  // A site that moves is frozen at its end, and not looked at before: any other one that is followed was left so.
  const left = spec.frozen ? [] : await planNoReplication(access, spec.siteId, ctx);
  return [
    ...left,
    ...planRole(client, spec, role),
    ...planDatabase(client, spec, there),
    ...(role === undefined ? [] : leaveElsewhere(client, user, role, isThere ? database : undefined)),
    ...(isThere && there.allowsConnections ? await planInside(client, spec, ctx) : []),
    ...(await planNoDeputy(access, spec.siteId, ctx)),
    ...(await planAccess(access, { database, user, from: spec.from }, ctx)),
  ];
}

async function instanceOf(host: Host, service: ServiceRef, doing: string): Promise<string> {
  if (service.instance !== '') return service.instance;
  const [only, ...more] = await host.postgresqlClusters();
  if (only !== undefined && more.length === 0) return only;
  throw new AegirError(
    'failed_precondition',
    only === undefined
      ? `cannot ${doing}: ${whyMissing(host, 'PostgreSQL is not installed on this server; install postgresql')}`
      : `cannot ${doing}: there are several clusters of PostgreSQL, ${[only, ...more].join(', ')}; update the master`,
  );
}

async function daemonOf(host: Host, service: ServiceRef, doing: string): Promise<Daemon> {
  const instance = await instanceOf(host, service, doing);
  const daemon = await host.daemon(clusterDaemon(instance));
  if (daemon !== undefined) return daemon;
  const missing = `there is no cluster ${instance} of PostgreSQL on this server; make it with pg_createcluster`;
  const none = (await host.postgresqlClusters()).length === 0;
  throw new AegirError('failed_precondition', `cannot ${doing}: ${none ? whyMissing(host, missing) : missing}`);
}

async function detected(host: Host, daemon: Daemon, instance: string): Promise<DetectedService> {
  return {
    type: 'db',
    engine: 'postgresql',
    instance,
    version: await versionOf(host, [daemon.program, '--version'], /\(PostgreSQL\) ([0-9]+(?:\.[0-9]+)*)/),
    ports: daemon.port === 0 ? [] : [daemon.port],
    configRoots: [daemon.includeDir],
    running: await daemon.isRunning(),
    manageable: true,
    socket: daemon.socket,
    capabilities: ['network', 'dump', 'replicate'],
  };
}
