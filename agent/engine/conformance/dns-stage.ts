// The stage on which a dns engine is tested: the engine, the DNS that the world sees, and short ways to do with a site's
// records what an agent does. Whoever has to lend a hand (the null engine's person) does so after each apply and removal.
import { Resolver } from 'node:dns/promises';
import type { DnsRecord, DnsSpec, ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { idBody } from '../../../shared/id.ts';
import type { Host } from '../../host/host.ts';
import { type ActionContext, type Engine, runChanges } from '../engine.ts';
import { contextOf, summaries } from './interruption.ts';

/** DNS as an operator can change it, past Aegir. */
export interface DnsWorld {
  /** IP address and port of a name server that tells how things are now. */
  readonly address: string;
  add(name: string, type: string, data: string, ttl?: number): void | Promise<void>;
  /** All records of the name, or those of the type, or the one of the data. */
  remove(name: string, type?: string, data?: string): void | Promise<void>;
  /** Everything that is there, one text each, in any order. */
  everything(): Promise<readonly string[]>;
  /** Does what the engine told a person to do; nothing where engines do all themselves. */
  carryOut(todos: readonly string[]): Promise<void>;
  /** From now on no question is answered, until it speaks again. */
  silence(on: boolean): void;
  close(): Promise<void>;
}

/** What an engine brings to be tested. */
export interface DnsSubject {
  /** As in the service's engine. */
  readonly name: string;
  /** A world with the zone example.org. */
  openWorld(): Promise<DnsWorld>;
  /** Makes a world what it was when opened, where opening another one takes long. */
  emptyWorld?(world: DnsWorld): Promise<void>;
  createEngine(world: DnsWorld): Engine<'dns'>;
  /** The host its daemon is on; a host in memory for engines without one. */
  createHost(world: DnsWorld): Promise<Host>;
  /** What a person declares of the service in that world. */
  declare?(world: DnsWorld): Pick<ServiceRef, 'settings' | 'secrets'>;
  /** No host shows it: people declare it. */
  readonly declaredOnly?: boolean;
  /** Whether it can take a site's records off without being told which. */
  readonly remembers: boolean;
  /** Longest time that a plan may take when nobody answers. */
  readonly patienceMs: number;
}

export interface DnsStage {
  readonly world: DnsWorld;
  readonly host: Host;
  readonly engine: Engine<'dns'>;
  readonly service: ServiceRef;
  /** Messages to the person so far. */
  readonly todos: string[];
  readonly ctx: ActionContext;
  plan(spec: DnsSpec): Promise<readonly string[]>;
  /** Plans, runs, and has done what is told; answers the summaries. */
  apply(spec: DnsSpec): Promise<readonly string[]>;
  remove(spec: DnsSpec, known?: boolean): Promise<readonly string[]>;
  /** What the world answers, by a resolver; empty for no such record. */
  answers(name: string, type: 'A' | 'AAAA'): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function openDnsStage(subject: DnsSubject): Promise<DnsStage> {
  const world = await subject.openWorld();
  const host = await subject.createHost(world);
  const engine = subject.createEngine(world);
  const service: ServiceRef = {
    id: 'svc-0000000000000001',
    serverId: 'srv-0000000000000001',
    type: 'dns',
    engine: subject.name,
    version: '',
    instance: '',
    settings: {},
    secrets: {},
    ...subject.declare?.(world),
  };
  const todos: string[] = [];
  const ctx: ActionContext = {
    ...contextOf(host),
    message: ({ kind, text }) => void (kind === 'todo' && todos.push(text)),
  };
  const run = async (changes: Awaited<ReturnType<Engine['plan']>>): Promise<readonly string[]> => {
    const before = todos.length;
    const done = await runChanges(changes, ctx);
    await world.carryOut(todos.slice(before));
    return done;
  };
  return {
    world,
    host,
    engine,
    service,
    todos,
    ctx,
    plan: async (spec) => summaries(await engine.plan(service, spec, ctx)),
    apply: async (spec) => run(await engine.plan(service, spec, ctx)),
    remove: async (spec, known = true) => run(await engine.remove(service, spec.siteId, known ? spec : undefined, ctx)),
    async answers(name, type) {
      const resolver = new Resolver({ timeout: 2000, tries: 3 });
      resolver.setServers([world.address]);
      try {
        return (await resolver.resolve(name, type)) as string[];
      } catch (thrown) {
        const { code } = thrown as NodeJS.ErrnoException;
        if (code === 'ENOTFOUND' || code === 'ENODATA') return [];
        throw thrown;
      }
    },
    async close() {
      await world.close();
      await host.close();
    },
  };
}

/**
 * The subject with one world for one test after the other, where it can be emptied; a world that was silenced may still
 * do what it was asked then, and is not used again. Returns what closes the last of them, too.
 */
export function withOneWorld(subject: DnsSubject): { readonly subject: DnsSubject; close(): Promise<void> } {
  let kept: DnsWorld | undefined;
  const { emptyWorld } = subject;
  if (emptyWorld === undefined) return { subject, close: async () => {} };
  const openWorld = async (): Promise<DnsWorld> => {
    if (kept !== undefined) await emptyWorld(kept);
    const world = kept ?? (await subject.openWorld());
    kept = world;
    return {
      ...world,
      silence(on) {
        kept = undefined;
        world.silence(on);
      },
      close: async () => (kept === world ? undefined : world.close()),
    };
  };
  return { subject: { ...subject, openWorld }, close: async () => kept?.close() };
}

export const SITE = 'site-0000000000000001';
/** "Bücher.example.org" and its like are on the wire as A-labels. */
export const IDN = 'xn--bcher-kva.example.org';

/** A site with two names, both families of addresses. */
export function siteSpec(part: Partial<DnsSpec> = {}): DnsSpec {
  const records = ['www.example.org', IDN].flatMap((name) => [
    record(name, 'A', '192.0.2.10'),
    record(name, 'AAAA', '2001:db8::10'),
  ]);
  return { siteId: SITE, zone: 'example.org', records, ...part };
}

export function record(name: string, type: string, data: string, ttl = 3600): DnsRecord {
  return { name, type, ttl, data };
}

/** A spec of another site, with these records. */
export function specOf(siteId: string, ...records: DnsRecord[]): DnsSpec {
  if (idBody(siteId).length !== 16) throw new Error(`${siteId} is no site id`);
  return { siteId, zone: 'example.org', records };
}
