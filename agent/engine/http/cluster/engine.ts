// The engine http/cluster: the front of a cluster of web servers, by HAProxy. Sites are published to it by their names;
// its heads it gets once.
import { dirname } from 'node:path';
import { AegirError } from '../../../../shared/error.ts';
import type { Finding } from '../../../../shared/finding.ts';
import { whyMissing } from '../../../../shared/missing.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import type { ActionContext, Change, Checking, Engine, Fronting, HttpSiteSpec, Preparing } from '../../engine.ts';
import { createLocks } from '../config/lock.ts';
import { requireElsewhere } from '../elsewhere.ts';
import { pairName } from '../tls-files.ts';
import { clusterText, frontCluster } from './front-cluster.ts';
import { createFrontSet, type FrontEdit, type FrontSet } from './front-set.ts';
import { frontSite, siteText } from './front-site.ts';
import { clusterStatusOf, loadedGeneration } from './status.ts';

const LOCK = 'haproxy';
const UNIT_FILE = { mode: 0o644, owner: 'root', group: 'root' } as const;

export function createClusterEngine(): Engine<'http'> & Preparing & Checking & Fronting {
  const locks = createLocks();

  const planEdits = async (
    set: FrontSet,
    edits: readonly FrontEdit[],
    summary: string,
    doing: string,
  ): Promise<readonly Change[]> => {
    if (await set.isThere(edits)) return [];
    return [{ summary, run: (ctx) => locks(LOCK, () => set.apply(edits, doing, ctx)) }];
  };

  return {
    type: 'http',
    name: 'cluster',
    daemon: 'haproxy',
    capabilities: new Set(['tls', 'prepare', 'check', 'front']),

    // Clusters are declared; that HAProxy is there is a fact of the inventory.
    detect: async () => [],

    async inspect(service, ctx) {
      const daemon = await ctx.host.daemon('haproxy');
      if (daemon === undefined) return [];
      const { sites } = await createFrontSet(ctx.host, daemon).read();
      return sites
        .filter(({ clusterId }) => clusterId === service.id)
        .map(({ siteId }) => ({ siteId, what: 'names at the front' }));
    },

    async plan(service, spec, ctx) {
      requireServed(spec);
      const daemon = await haproxyOf(ctx.host, `lead visitors to ${spec.name}`);
      const edit = siteEdit(service.id, spec, daemon);
      const set = createFrontSet(ctx.host, daemon);
      requireFree(await set.read(), edit.id, spec);
      const doing = `lead visitors to ${spec.name}`;
      return planEdits(set, [edit], `${doing} to the heads of ${service.instance || service.id}`, doing);
    },

    async remove(service, siteId, spec, ctx) {
      const daemon = await ctx.host.daemon('haproxy');
      if (daemon === undefined) return [];
      const set = createFrontSet(ctx.host, daemon);
      const mine = (await set.read()).sites.find((site) => site.siteId === siteId);
      // Another cluster on this front may have it by now.
      if (mine !== undefined && mine.clusterId !== service.id) return [];
      const name = spec?.name ?? siteId;
      const edit: FrontEdit = { of: 'sites', id: siteId, content: undefined };
      return planEdits(set, [edit], `lead no more visitors to ${name}`, `take ${name} off the front`);
    },

    async planCluster(service, cluster, ctx) {
      const daemon = await haproxyOf(ctx.host, `lead visitors to the heads of ${service.instance}`);
      const wanted = frontCluster(service.id, cluster);
      const asked = wanted.heads.filter(({ state }) => state !== 'out');
      await requireElsewhere(ctx.host, daemon, asked, `lead visitors of ${service.instance || service.id}`);
      const heads = wanted.heads.map(
        ({ address, port, state }) => `${address}:${port}${state === 'active' ? '' : ` (${state})`}`,
      );
      const edit: FrontEdit = { of: 'clusters', id: service.id, content: clusterText(wanted) };
      const summary = `lead visitors of ${service.instance || service.id} to ${heads.join(', ') || 'no heads'}`;
      return planEdits(createFrontSet(ctx.host, daemon), [edit], summary, 'change the heads');
    },

    async removeCluster(service, ctx) {
      const daemon = await ctx.host.daemon('haproxy');
      if (daemon === undefined) return [];
      const set = createFrontSet(ctx.host, daemon);
      const sites = (await set.read()).sites.filter(({ clusterId }) => clusterId === service.id);
      const edits: readonly FrontEdit[] = [
        { of: 'clusters', id: service.id, content: undefined },
        ...sites.map(({ siteId }) => ({ of: 'sites' as const, id: siteId, content: undefined })),
      ];
      const name = service.instance || service.id;
      return planEdits(set, edits, `take cluster ${name} off HAProxy`, `take cluster ${name} off HAProxy`);
    },

    async clusterStatus(service, ctx) {
      const daemon = await haproxyOf(ctx.host, 'ask the front');
      const { clusters } = await createFrontSet(ctx.host, daemon).read();
      const cluster = clusters.find(({ clusterId }) => clusterId === service.id);
      return cluster === undefined ? { heads: [] } : clusterStatusOf(daemon, cluster);
    },

    async prepare(_service, ctx) {
      const daemon = await haproxyOf(ctx.host, 'prepare the front');
      const set = createFrontSet(ctx.host, daemon);
      const changes = [...(await planDropIn(ctx.host, daemon, set))];
      return [
        ...changes,
        ...(await planEdits(set, [], 'have HAProxy load what Aegir has for it', 'prepare the front')),
      ];
    },

    check: (service, ctx) => check(service.id, ctx),
  };
}

function siteEdit(clusterId: string, spec: HttpSiteSpec, daemon: Daemon): FrontEdit {
  const pem = spec.tls === undefined ? '' : pairName(spec.tls);
  if (spec.tls !== undefined && daemon.tlsPort === undefined) {
    throw new AegirError(
      'failed_precondition',
      `cannot serve ${spec.name} over HTTPS: HAProxy has no port for it here`,
    );
  }
  const site = frontSite(spec, clusterId, pem, { port: daemon.port, tlsPort: daemon.tlsPort });
  const edit = { of: 'sites' as const, id: spec.siteId, content: siteText(site) };
  if (spec.tls === undefined) return edit;
  const content = `${spec.tls.keyPem.trimEnd()}\n${spec.tls.certificatePem}`;
  return { ...edit, pem: { name: site.pem, content } };
}

/** A front has no way to the agent's gate, and what its heads serve is on all of them. */
function requireServed({ name, state }: HttpSiteSpec): void {
  if (state === 'enabled' || state === 'disabled') return;
  throw new AegirError(
    'unimplemented',
    `cannot hold ${name} or lead it elsewhere at the front of a cluster: move it with a backup and a restore instead`,
  );
}

/** A map has one value for a name: the second site of that name would never be seen. */
function requireFree({ sites }: Awaited<ReturnType<FrontSet['read']>>, siteId: string, spec: HttpSiteSpec): void {
  const wanted = [spec.name, ...spec.aliases];
  for (const other of sites) {
    if (other.siteId === siteId) continue;
    const taken = other.names.find(({ name }) => wanted.includes(name))?.name;
    if (taken === undefined) continue;
    throw new AegirError(
      'already_exists',
      `cannot lead visitors to ${spec.name}: ${taken} is a name of ${other.siteId} on this front; take it out of that site`,
    );
  }
}

async function haproxyOf(host: Host, doing: string): Promise<Daemon> {
  const daemon = await host.daemon('haproxy');
  if (daemon !== undefined) return daemon;
  throw new AegirError(
    'failed_precondition',
    `cannot ${doing}: ${whyMissing(host, 'this server has no HAProxy that the agent drives; install it (Debian: apt install haproxy)')}`,
  );
}

async function planDropIn(host: Host, daemon: Daemon, set: FrontSet): Promise<readonly Change[]> {
  const { dropIn, includeDir } = daemon;
  if (dropIn === undefined) return [];
  const { path, content } = dropIn;
  // A death between writing it and starting HAProxy anew left one that reads nothing of ours.
  if ((await host.files.matches(path, content, UNIT_FILE)) && (await loadedGeneration(daemon)) !== undefined) return [];
  return [
    {
      summary: `have HAProxy read ${includeDir} besides its own configuration (${path}), and start it anew`,
      async run() {
        // It does not start without the directory, and talks to us only by what stands there.
        await set.stage();
        await host.files.directory(dirname(path), { mode: 0o755, owner: 'root', group: 'root' });
        await host.files.write(path, content, UNIT_FILE);
        const { code, stderr } = await host.run({ argv: ['systemctl', 'daemon-reload'] });
        if (code !== 0) throw new AegirError('unavailable', `cannot have systemd read ${path}: ${stderr.trim()}`);
        await daemon.restart();
      },
    },
  ];
}

async function check(clusterId: string, ctx: ActionContext): Promise<readonly Finding[]> {
  const subject = 'service:haproxy';
  const daemon = await ctx.host.daemon('haproxy');
  if (daemon === undefined) {
    const text = whyMissing(ctx.host, 'no HAProxy that the agent drives; install it (Debian: apt install haproxy)');
    return [{ subject, level: 'error', text }];
  }
  if (!(await daemon.isRunning())) {
    return [{ subject, level: 'error', text: 'it does not run: start it, or verify the cluster' }];
  }
  const set = createFrontSet(ctx.host, daemon);
  const findings: Finding[] = [];
  const complaint = await set.test();
  if (complaint !== undefined) {
    findings.push({ subject: 'configuration:haproxy', level: 'error', text: `broken: ${complaint}` });
  }
  findings.push(
    (await set.inForce())
      ? { subject, level: 'ok', text: `it runs and answers on port ${daemon.port} with the configuration on disk` }
      : {
          subject,
          level: 'warning',
          text: 'it works with another configuration than the one on disk: verify the cluster',
        },
  );
  const cluster = (await set.read()).clusters.find((each) => each.clusterId === clusterId);
  if (cluster === undefined) return findings;
  for (const head of (await clusterStatusOf(daemon, cluster)).heads) {
    if (head.healthy || head.state === 'out') continue;
    const text = `head ${head.serviceId} gets no requests: ${head.check}; mend it, or take it out: aegir cluster drain`;
    findings.push({ subject: `head:${head.serviceId}`, level: 'error', text });
  }
  return findings;
}
