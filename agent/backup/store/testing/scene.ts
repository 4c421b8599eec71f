// The scene in which backups are kept and read in tests: a real file service, parts of sites that this server gives to
// itself under grants, and the actions as the dispatch calls them.
import { createHash, randomBytes } from 'node:crypto';
import { createAccount } from 'nats-jwt';
import type { BackupFacts, PartFacts } from '../../../../shared/gen/aegir/v1/backup.ts';
import { type Grant, GrantBody } from '../../../../shared/gen/aegir/v1/mesh.ts';
import type { ServiceRef } from '../../../../shared/gen/aegir/v1/spec.ts';
import { grantText } from '../../../../shared/grant.ts';
import type { FileStage } from '../../../engine/conformance/file-stage.ts';
import { encodeCaibx, openCaibx } from '../../../mesh/caibx.ts';
import { createFileSink } from '../../../mesh/file-sink.ts';
import type { ChunkRef, GivenChunks, StoredChunk } from '../../../mesh/objects.ts';
import { createTransfers, type Transfers } from '../../../mesh/transfers.ts';
import { createPartKind } from '../../parts.ts';
import { createWorkers } from '../../workers.ts';
import type { Repository } from '../repository.ts';
import { type StoreBackupOrder, storeBackup } from '../store-backup.ts';
import { createStores, type Stores } from '../stores.ts';

export const ME = 'srv-0000000000000001';
export const SIZES = { min: 65_536, average: 524_288, max: 4_194_304 };
export const TAKEN_AT = new Date('2026-11-27T02:00:00Z');
export const MANIFEST = Buffer.from('{"site":{"name":"example.org"}}\n');
export const BACKUP = 'bak-0000000000000001';

export interface Part {
  readonly name: 'database' | 'files';
  readonly chunks: readonly Uint8Array[];
  readonly digest: Buffer;
  readonly bytes: number;
}

export interface StoreScene {
  readonly stage: FileStage;
  readonly service: ServiceRef;
  readonly stores: Stores;
  readonly transfers: Transfers;
  /** What this server has of the sites; told: chunks that were sent. */
  part(name: Part['name'], chunks: readonly Uint8Array[]): Part;
  readonly sent: string[];
  /** Called before each chunk is sent. */
  onSend(act: (nth: number) => void): void;
  order(parts: readonly Part[], backupId?: string, expiresAt?: Date): StoreBackupOrder;
  store(order: StoreBackupOrder, signal?: AbortSignal): Promise<BackupFacts>;
  /** The bytes of a part, fetched under an offer. */
  fetch(backupId: string, part: PartFacts, change?: Partial<GrantBody>): Promise<Buffer>;
  /** What is there now, as it is read. */
  read<T>(act: (repository: Repository) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

export function encrypted(service: ServiceRef, key: string): ServiceRef {
  return {
    ...service,
    settings: { ...service.settings, encrypt: 'true' },
    secrets: { ...service.secrets, 'encryption-key': key },
  };
}

export function refsOf(chunks: readonly Uint8Array[]): ChunkRef[] {
  return chunks.map((bytes) => ({ id: sha256(bytes).toString('hex'), size: bytes.length }));
}

/** key: 64 hexadecimal digits, for a store that is encrypted. */
export function openStoreScene(stage: FileStage, key?: string): StoreScene {
  const pair = createAccount();
  const { host, engine, ctx } = stage;
  const service = key === undefined ? stage.service : encrypted(stage.service, key);
  const stores = createStores({ host, engines: [engine], now: Date.now, log: () => {} });
  const workers = createWorkers();
  const parts = new Map<string, Part>();
  const sent: string[] = [];
  let onSend: (nth: number) => void = () => {};

  const give = async (rest: string): Promise<GivenChunks | undefined> => {
    const part = parts.get(rest);
    if (part === undefined) return undefined;
    const refs = refsOf(part.chunks);
    const index = encodeCaibx(refs, SIZES);
    return {
      form: 'chunks',
      bytes: {
        size: index.length,
        read: async (at, length) => index.subarray(at, at + length),
        close: async () => {},
      },
      index: {
        count: refs.length,
        bytes: part.bytes,
        at: async (first, count) => refs.slice(first, first + count),
        close: async () => {},
      },
      store: {
        get: async (id): Promise<StoredChunk> => {
          sent.push(id);
          onSend(sent.length);
          const at = refs.findIndex((ref) => ref.id === id);
          return { compression: 'none', bytes: part.chunks[at] ?? Buffer.alloc(0) };
        },
      },
      close: async () => {},
    };
  };
  const transfers = createTransfers({
    ...{ me: ME, bytesPerSecond: undefined, log: () => {}, now: Date.now },
    kinds: [createPartKind([{ prefix: 'snapshot/', give }, stores.offers])],
    links: { current: () => undefined, onLink: () => () => {}, grantKey: () => pair.getPublicKey() },
  });
  const grant = (name: string, digest: Uint8Array, bytes: number, change: Partial<GrantBody> = {}): Grant => {
    const body = GrantBody.encode(
      GrantBody.fromPartial({
        ...{ id: randomBytes(16).toString('hex'), senderId: ME, receiverId: ME, kind: 'part', name, digest },
        ...{ maxBytes: BigInt(bytes), expiresAt: new Date(Date.now() + 600_000), ...change },
      }),
    ).finish();
    return { body, signature: pair.sign(grantText(body)) };
  };

  return {
    ...{ stage, stores, transfers, sent, service },
    onSend(act) {
      onSend = act;
    },
    part(name, chunks) {
      const digest = sha256(encodeCaibx(refsOf(chunks), SIZES));
      const part = { name, chunks, digest, bytes: chunks.reduce((sum, { length }) => sum + length, 0) };
      parts.set(digest.toString('hex'), part);
      return part;
    },
    order: (of, backupId = BACKUP, expiresAt) => ({
      ...{ service, backupId, manifest: MANIFEST, takenAt: TAKEN_AT },
      sources: of.map(({ name, digest, bytes }) => ({
        ...{ part: name, senderName: 'web1' },
        grant: grant(`snapshot/${digest.toString('hex')}`, digest, bytes, expiresAt === undefined ? {} : { expiresAt }),
      })),
    }),
    store: (order, signal = ctx.signal) =>
      stores.locks.shared(order.service.id, signal, async () => {
        const own = { ...ctx, signal };
        const repository = await stores.open(order.service, own);
        try {
          return await storeBackup(order, repository, own, transfers, workers);
        } finally {
          await repository.close();
        }
      }),
    async fetch(backupId, part, change) {
      const dir = `${host.paths.work}/fetch-${randomBytes(6).toString('hex')}`;
      await host.files.directory(dir, { mode: 0o700 });
      const got = new Map<string, Uint8Array>();
      const path = `${dir}/index.caibx`;
      const name = `backup/${service.id}/${backupId}/${part.part}`;
      await transfers.receive(grant(name, part.digest, Number(part.bytes), change), {
        ...{ from: 'store1', signal: ctx.signal, onProgress: () => {} },
        into: async () => ({
          ...{ form: 'chunks', sink: createFileSink(path), openIndex: openCaibx },
          store: {
            has: async (ids) => ids.map((id) => got.has(id)),
            put: async (id, raw) => void got.set(id, Buffer.from(raw)),
            flush: async () => {},
          },
        }),
      });
      const index = await openCaibx(path);
      const refs = await index.at(0, index.count);
      await index.close();
      await host.files.remove(dir);
      return Buffer.concat(refs.map(({ id }) => got.get(id) ?? Buffer.alloc(0)));
    },
    async read(act) {
      const repository = await stores.open(service, ctx);
      try {
        return await act(repository);
      } finally {
        await repository.close();
      }
    },
    async close() {
      await transfers.close();
      await stores.close();
      await workers.close();
    },
  };
}
