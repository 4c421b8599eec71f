// Agents with parts of sites, on a mesh with the real nats-server: as their own main.ts wires them, with a site's trees in
// a directory each.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Backups, createBackups } from '../../agent/backup/backups.ts';
import type { Tree } from '../../agent/backup/entry.ts';
import { createPartKind, type PartSources } from '../../agent/backup/parts.ts';
import { sitePlace } from '../../agent/backup/site-owners.ts';
import { createFakeHost } from '../../agent/host/fake.ts';
import { createFiles } from '../../agent/host/files.ts';
import type { Host } from '../../agent/host/host.ts';
import { ourselves } from '../../agent/host/process.ts';
import { siteLayout } from '../../agent/host/site-layout.ts';
import { createMeshConnection } from '../../agent/mesh/connection.ts';
import type { Link, Links, Mesh } from '../../agent/mesh/mesh.ts';
import { createTransfers, type Transfers } from '../../agent/mesh/transfers.ts';
import { MeshCredentials } from '../../shared/gen/aegir/v1/agent.ts';
import type { PartSource, RestoreFacts, SnapshotFacts } from '../../shared/gen/aegir/v1/backup.ts';
import { fromSeed } from '../../shared/nkeys.ts';
import type { MeshRig, Passport } from '../mesh/rig.ts';

export const SITE = { id: 'site-0123456789abcdef', name: 'www.example.org', sharedRoot: '' };
export const ALL: readonly Tree[] = ['files', 'private', 'sessions'];

export interface Keeper {
  readonly id: string;
  readonly host: Host;
  readonly backups: Backups;
  readonly transfers: Transfers;
  readonly mesh: Mesh & Links;
  /** Directory of the site, with its trees. */
  readonly site: string;
  readonly said: string[];
  /** Bytes of messages that came over the mesh until now, as they travel. */
  heardBytes(): number;
  take(
    id: string,
    options?: { readonly trees?: readonly Tree[]; readonly signal?: AbortSignal },
  ): Promise<SnapshotFacts>;
  restore(source: PartSource, options?: RestoreHere): Promise<RestoreFacts>;
  close(): Promise<void>;
}

export interface RestoreHere {
  readonly trees?: readonly Tree[];
  readonly fetchOnly?: boolean;
  readonly signal?: AbortSignal;
  readonly onTransfer?: (bytes: number) => void;
}

export interface KeeperOptions {
  /** Numbers of the site's user and group, and of the web server's group. */
  readonly uid?: number;
  readonly webGid?: number;
  readonly sources?: readonly PartSources[];
  readonly bytesPerSecond?: number;
  /** Clock of the backups alone. */
  readonly now?: () => number;
}

export function openKeeper(passport: Passport, options: KeeperOptions = {}): Keeper {
  const { uid = 60_001, webGid = 60_100, sources = [] } = options;
  const said: string[] = [];
  const log = (level: string, text: string) => void said.push(`${level}: ${text}`);
  const host = hostIn(passport.dir, uid, webGid);
  const backups = createBackups({ host, now: options.now ?? Date.now, log });
  const mesh = createMeshConnection({
    ...{ serverId: passport.id, key: fromSeed(Buffer.from(passport.seed)), log },
    identity: async () => ({ certificate: passport.certificate, key: passport.key, ca: passport.ca }),
  });
  mesh.update(MeshCredentials.fromJSON(passport.credentials));
  const { links, heardBytes } = counted(mesh);
  const transfers = createTransfers({
    ...{ me: passport.id, links, log, now: Date.now, bytesPerSecond: options.bytesPerSecond },
    kinds: [createPartKind([backups.snapshots.source, ...sources])],
  });
  return {
    ...{ id: passport.id, host, backups, transfers, mesh, said, heardBytes },
    site: siteLayout(host.paths, SITE.id).root,
    take: async (id, { trees = ALL, signal = new AbortController().signal } = {}) => {
      const place = await sitePlace(SITE, trees, host);
      return backups.snapshots.takeFiles(id, place, true, { signal, onWarning: (text) => log('warn', text) });
    },
    restore: async (source, { trees = ALL, fetchOnly = false, signal, onTransfer } = {}) =>
      backups.restores.files(SITE.id, await sitePlace(SITE, trees, host), fetchOnly, {
        ...{ transfers, source, signal: signal ?? new AbortController().signal, onRestored: () => {} },
        onLooked: () => {},
        onTransfer: ({ bytes }) => onTransfer?.(bytes),
        onWarning: (text) => log('warn', text),
      }),
    async close() {
      await transfers.close();
      await mesh.close();
      await backups.close();
    },
  };
}

function counted(mesh: Links): { readonly links: Links; heardBytes(): number } {
  let heard = 0;
  const counting = new WeakMap<Link, Link>();
  const of = (link: Link): Link => {
    const known = counting.get(link) ?? {
      ...link,
      hear: (from, word, transfer, on) =>
        link.hear(from, word, transfer, (sender, name, data) => {
          heard += data.length;
          on(sender, name, data);
        }),
    };
    counting.set(link, known);
    return known;
  };
  const current = () => {
    const link = mesh.current();
    return link && of(link);
  };
  const onLink: Links['onLink'] = (told) => mesh.onLink((link) => told(of(link)));
  return { links: { ...mesh, current, onLink }, heardBytes: () => heard };
}

/** A host whose site has its trees, as prepare-site makes them. */
function hostIn(dir: string, uid: number, webGid: number): Host {
  const at = (name: string) => join(dir, name);
  const fake = createFakeHost();
  const paths = { ...fake.paths, state: at('state'), sites: at('sites'), work: at('work') };
  const host: Host = {
    ...fake,
    paths,
    files: createFiles(async () => ourselves()),
    users: {
      ...fake.users,
      lookup: async (name) => (name === 'www-data' ? { name, uid: webGid, gid: webGid } : { name, uid, gid: uid }),
    },
  };
  const layout = siteLayout(paths, SITE.id);
  for (const tree of ALL) mkdirSync(layout[tree], { recursive: true, mode: 0o700 });
  if (process.geteuid?.() === 0) {
    execFileSync('chown', [`${uid}:${webGid}`, layout.files]);
    execFileSync('chown', [`${uid}:${uid}`, layout.private, layout.sessions]);
  }
  execFileSync('chmod', ['2750', layout.files]);
  return host;
}

/** Leave for `to` to fetch a snapshot of `from`. */
export function sourceOf(rig: MeshRig, from: Keeper, to: Keeper, id: string, facts: SnapshotFacts): PartSource {
  const grant = rig.grant({
    ...{ senderId: from.id, receiverId: to.id, kind: 'part', name: `snapshot/${id}` },
    ...{ digest: facts.digest, maxBytes: Number(facts.bytes) },
  });
  return { part: 'files', grant, senderName: 'web1.example.org' };
}
