// The core of the file engines: what is the same for all of them is here; what differs is how a store is opened, and what
// a service needs before its first use.
import { AegirError, toAegirError } from '../../../shared/error.ts';
import type { Finding } from '../../../shared/finding.ts';
import type { DetectedService } from '../../../shared/gen/aegir/v1/agent.ts';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { nameOnServer } from '../../../shared/service-name.ts';
import type { Host } from '../../host/host.ts';
import type {
  ActionContext,
  Capability,
  Change,
  Checking,
  Engine,
  ObjectStore,
  Preparing,
  Storing,
} from '../engine.ts';
import { createCheckedStore } from './checked-store.ts';
import { probeStore } from './probe.ts';

export type FileEngine = Engine<'file'> & Preparing & Checking & Storing;

export interface FileEngineOptions {
  readonly name: string;
  detect(host: Host): Promise<readonly DetectedService[]>;
  open(service: ServiceRef, ctx: ActionContext): Promise<ObjectStore>;
  /** What it needs before its first use. Default: nothing. */
  prepare?(service: ServiceRef, ctx: ActionContext): Promise<readonly Change[]>;
  /** Throws when the settings cannot be right; asks nobody. */
  judge(service: ServiceRef, host: Host): void;
}

export function createFileEngine(options: FileEngineOptions): FileEngine {
  const openStore = async (service: ServiceRef, ctx: ActionContext): Promise<ObjectStore> => {
    options.judge(service, ctx.host);
    ctx.signal.throwIfAborted();
    return createCheckedStore(await options.open(service, ctx), ctx.signal);
  };
  const prepare = async (service: ServiceRef, ctx: ActionContext): Promise<readonly Change[]> => {
    options.judge(service, ctx.host);
    return (await options.prepare?.(service, ctx)) ?? [];
  };

  return {
    type: 'file',
    name: options.name,
    capabilities: new Set<Capability>(['prepare', 'check', 'store']),
    detect: options.detect,
    openStore,
    prepare,
    // Objects are by name, not by site: what a backup is of, its index says.
    inspect: async () => [],
    plan: (service, _spec, ctx) => prepare(service, ctx),
    // Backups outlive their site.
    remove: async () => [],

    async check(service, ctx): Promise<readonly Finding[]> {
      const subject = `service:${nameOnServer(service)}`;
      try {
        const text = await probeStore(
          () => openStore(service, ctx),
          () => performance.now(),
        );
        return [{ subject, level: 'ok', text }];
      } catch (thrown) {
        if (ctx.signal.aborted) throw new AegirError('cancelled', `cannot probe ${subject}: it was cancelled`);
        return [{ subject, level: 'error', text: toAegirError(thrown, 'probe it').message }];
      }
    },
  };
}
