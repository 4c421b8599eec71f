// An agent with parts of sites in a process of its own, for measurements: told what to do by its parent, tells what came of
// it. Its store of backups is the engine mesh.
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { sitePlace } from '../../agent/backup/site-owners.ts';
import { storeBackup } from '../../agent/backup/store/store-backup.ts';
import { createStores } from '../../agent/backup/store/stores.ts';
import { type ActionContext, runChanges } from '../../agent/engine/engine.ts';
import { createMeshEngine } from '../../agent/engine/file/mesh/engine.ts';
import { Grant } from '../../shared/gen/aegir/v1/mesh.ts';
import type { ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import { type Usage, usage } from '../mesh/peer.ts';
import type { Passport } from '../mesh/rig.ts';
import { ALL, type Keeper, openKeeper, SITE } from './rig.ts';

export type KeeperOrder =
  | { readonly do: 'take'; readonly id: string }
  | { readonly do: 'restore'; readonly grant: unknown }
  | { readonly do: 'store'; readonly backupId: string; readonly grant: unknown }
  /** Nothing that was taken, fetched or stored is there any more; nor, with trees, what the site has. */
  | { readonly do: 'forget'; readonly trees: boolean }
  | { readonly do: 'usage' };

export interface KeeperAnswer {
  readonly failed?: string;
  readonly usage?: Usage;
  /** Of a snapshot. */
  readonly digest?: string;
  readonly bytes?: number;
  readonly readBytes?: number;
  /** Before compression. */
  readonly receivedBytes?: number;
  /** That came over the mesh. */
  readonly wireBytes?: number;
  readonly written?: number;
}

if (process.argv[2] === 'keeper') {
  process.once('message', (passport: Passport) => begin(passport));
  process.on('disconnect', () => process.exit(0));
}

function begin(passport: Passport): void {
  const keeper = openKeeper(passport);
  const say = (answer: KeeperAnswer | 'connected') => process.send?.(answer);
  keeper.mesh.onLink(() => say('connected'));
  process.on('message', (order: KeeperOrder) => {
    void obey(keeper, order).then(say, (error: Error) => say({ failed: error.message }));
  });
}

async function obey(keeper: Keeper, order: KeeperOrder): Promise<KeeperAnswer> {
  switch (order.do) {
    case 'take': {
      const { digest, bytes, readBytes } = await keeper.take(order.id);
      return { digest: Buffer.from(digest).toString('hex'), bytes: Number(bytes), readBytes: Number(readBytes) };
    }
    case 'restore': {
      const source = { part: 'files', grant: Grant.fromJSON(order.grant), senderName: 'a' };
      const before = keeper.heardBytes();
      const { complete, receivedBytes, written } = await keeper.restore(source);
      if (!complete) return { failed: 'the grant ran out' };
      const wireBytes = keeper.heardBytes() - before;
      return { receivedBytes: Number(receivedBytes), written: Number(written), wireBytes };
    }
    case 'store':
      return { receivedBytes: await store(keeper, order.backupId, Grant.fromJSON(order.grant)) };
    case 'forget': {
      const { state, work } = keeper.host.paths;
      for (const dir of [state, work, join(work, '../store')]) putAway(dir);
      const place = await sitePlace(SITE, ALL, keeper.host);
      if (order.trees) for (const { path } of place.trees) empty(path);
      return {};
    }
    case 'usage':
      return { usage: usage() };
  }
}

let away = 0;
/** Not removed: ext4 passes over inodes that went minutes ago one by one, and a measurement would be one of that. */
function putAway(path: string): void {
  if (!existsSync(path)) return;
  away += 1;
  renameSync(path, `${path}.away-${away}`);
}

function empty(dir: string): void {
  const aside = `${dir}.away-${away}`;
  for (const name of readdirSync(dir)) {
    mkdirSync(aside, { recursive: true });
    renameSync(join(dir, name), join(aside, name));
  }
  away += 1;
}

async function store({ host, transfers, backups }: Keeper, backupId: string, grant: Grant): Promise<number> {
  const engine = createMeshEngine();
  const ctx = contextOf(host);
  await runChanges(await engine.prepare(serviceIn(join(host.paths.work, '../store')), ctx), ctx);
  const service = serviceIn(join(host.paths.work, '../store'));
  const stores = createStores({ host, engines: [engine], now: Date.now, log: () => {} });
  const repository = await stores.open(service, ctx);
  try {
    const order = {
      ...{ service, backupId, manifest: Buffer.from('{}\n'), takenAt: new Date(0) },
      sources: [{ part: 'files', grant, senderName: 'a' }],
    };
    return Number((await storeBackup(order, repository, ctx, transfers, backups.workers)).receivedBytes);
  } finally {
    await repository.close();
  }
}

function serviceIn(root: string): ServiceRef {
  return {
    ...{ id: 'svc-0123456789abcdef', serverId: 'srv-0123456789abcdea', type: 'file', engine: 'mesh', version: '' },
    ...{ instance: '', settings: { root }, secrets: {} },
  };
}

function contextOf(host: Keeper['host']): ActionContext {
  const quiet = () => {};
  const signal = new AbortController().signal;
  return { host, signal, failpoint: quiet, log: quiet, progress: quiet, message: quiet };
}
