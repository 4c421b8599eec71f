// The agent's word on its host: facts and services, taken now and then, on demand and after changes, and told only when
// it differs from what was told last.
import type { Logger } from 'pino';
import type { DetectedService, HostFacts, Inventory } from '../shared/gen/aegir/v1/agent.ts';
import type { Engine } from './engine/engine.ts';
import type { Host, HostIdentity } from './host/host.ts';
import type { Detector } from './inventory/detector.ts';
import { createPoller, type Poller } from './poller.ts';

const MAX_DISKS = 200; // what a master takes
const MAX_ADDRESSES = 64;
const TIMEOUT_MS = 60_000; // one detector; what hangs keeps its last answer

export interface InventoryOptions {
  readonly host: Host;
  /** Their detect comes first: an engine knows its daemon best. */
  readonly engines: readonly Engine[];
  readonly detectors: readonly Detector[];
  readonly agentVersion: string;
  readonly log: Logger;
  readonly now: () => number;
  /** Between two looks by itself, before jitter, until the master says otherwise. Default 300 000. */
  readonly intervalMs?: number;
}

export interface Inventories {
  /** The last one, or the first. */
  latest(): Promise<Inventory>;
  /** A new one; calls at the same time share one look. */
  take(): Promise<Inventory>;
  /** Looks soon; several calls make one look. */
  poke(): void;
  setInterval(ms: number): void;
  /** Told after a look that found something else than `told`, or was asked for; one listener. */
  onNews(listener: (inventory: Inventory) => void): void;
  /** What the master has now; news are what differs from it. */
  told(inventory: Inventory): void;
  start(): void;
  stop(): void;
}

export function createInventory(options: InventoryOptions): Inventories {
  const { host, log } = options;
  const lastKnown = new Map<string, readonly DetectedService[]>();
  let latest: Inventory | undefined;
  let taking: Promise<Inventory> | undefined;
  let told = '';
  let listener = (_inventory: Inventory) => {};

  const look = async (name: string, detect: () => Promise<readonly DetectedService[]>) => {
    try {
      const services = await within(detect(), TIMEOUT_MS);
      lastKnown.set(name, services);
      return services;
    } catch (error) {
      // Absent means gone to the master: what merely could not be looked at must not vanish.
      log.warn({ detector: name, err: error }, 'cannot look for a service; its last known state stands');
      return lastKnown.get(name) ?? [];
    }
  };

  const takeNow = async (): Promise<Inventory> => {
    const services: DetectedService[] = [];
    for (const engine of options.engines) {
      services.push(...(await look(`engine ${engine.type}/${engine.name}`, () => engine.detect(host))));
    }
    for (const detector of options.detectors)
      services.push(...(await look(detector.name, () => detector.detect(host))));
    const facts = factsOf(await host.identity(), host.kind, options.agentVersion);
    latest = { facts, services: distinct(services), takenAt: new Date(options.now()) };
    return latest;
  };
  const take = () => {
    taking ??= takeNow().finally(() => {
      taking = undefined;
    });
    return taking;
  };

  const poller: Poller = createPoller({
    intervalMs: options.intervalMs ?? 300_000,
    async work() {
      const inventory = await take();
      if (fingerprint(inventory) !== told) listener(inventory);
    },
    onError: (error) => log.warn({ err: error }, 'cannot take an inventory'),
  });

  return {
    latest: async () => latest ?? take(),
    take,
    poke: poller.poke,
    setInterval: poller.setInterval,
    onNews(next) {
      listener = next;
    },
    told(inventory) {
      told = fingerprint(inventory);
    },
    start: poller.start,
    stop: poller.stop,
  };
}

export function factsOf(identity: HostIdentity, hostKind: Host['kind'], agentVersion: string): HostFacts {
  return {
    hostname: identity.hostname,
    os: identity.os,
    kernel: identity.kernel,
    arch: identity.arch,
    cpus: identity.cpus,
    memoryBytes: BigInt(Math.round(identity.memoryBytes)),
    disks: identity.disks.slice(0, MAX_DISKS).map((disk) => ({
      mount: disk.mount,
      type: disk.type,
      sizeBytes: BigInt(Math.round(disk.sizeBytes)),
      freeBytes: BigInt(Math.round(disk.freeBytes)),
      network: disk.network,
    })),
    addresses: identity.addresses.slice(0, MAX_ADDRESSES),
    sourceAddresses: identity.sourceAddresses.slice(0, MAX_ADDRESSES),
    hostKind,
    agentVersion,
  };
}

/** What makes two inventories the same: all but when, and free space within a twentieth of the disk. */
export function fingerprint(inventory: Inventory): string {
  const facts = inventory.facts && {
    ...inventory.facts,
    disks: inventory.facts.disks.map((disk) => ({
      ...disk,
      freeBytes: disk.sizeBytes === 0n ? 0 : Number((disk.freeBytes * 20n) / disk.sizeBytes),
    })),
  };
  return JSON.stringify([facts, inventory.services], (_key, value) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
}

/** One of each, the first found, in a stable order: an engine's own word goes before a detector's. */
function distinct(services: readonly DetectedService[]): DetectedService[] {
  const byPlace = new Map<string, DetectedService>();
  for (const service of services) {
    const place = `${service.type}/${service.engine}/${service.instance}`;
    if (!byPlace.has(place)) byPlace.set(place, service);
  }
  return [...byPlace.keys()].sort().flatMap((place) => byPlace.get(place) ?? []);
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} s`)), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
