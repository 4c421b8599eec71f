// Keeps a session to one of the masters open: dials them in order, again and again with jitter, until told to stop or
// the server is revoked.
import type { Logger } from 'pino';
import { AegirError, toAegirError } from '../shared/error.ts';
import type { Failpoint } from '../shared/failpoint.ts';
import type { Welcome } from '../shared/gen/aegir/v1/agent.ts';
import type { Dispatch } from './dispatch.ts';
import { type AgentIdentity, type IdentityStore, parseAddress } from './identity.ts';
import type { Inventories } from './inventory.ts';
import type { Mesh } from './mesh/mesh.ts';
import { jittered } from './poller.ts';
import type { Reports } from './reports.ts';
import { createBackoff } from './session/backoff.ts';
import { recover } from './session/recovery.ts';
import { validity } from './session/renewal.ts';
import { runStream, type StreamEnd } from './session/stream.ts';
import type { Upstream } from './upstream.ts';

export interface SessionState {
  readonly is: 'connecting' | 'connected' | 'stopped' | 'revoked';
  readonly master: string;
  /** State of the server in the graph, as the master said. */
  readonly serverState: string;
  /** How the session before ended; empty for none. */
  readonly why: string;
}

export interface SessionOptions {
  readonly identity: AgentIdentity;
  readonly store: IdentityStore;
  readonly bootId: string;
  readonly dispatch: Pick<Dispatch, 'receive' | 'cancel' | 'acknowledge' | 'openActions' | 'highestGeneration'>;
  readonly upstream: Upstream;
  readonly inventory: Inventories;
  readonly reports: Reports;
  /** The master asked for a look at the host. */
  readonly onLook?: () => void;
  readonly mesh: Mesh;
  /** Told of each master that welcomed this agent. */
  readonly onMaster?: (address: string, identity: AgentIdentity) => void;
  readonly failpoint: Failpoint;
  readonly log: Logger;
  readonly now: () => number;
  /** Between rounds over all masters. Default 1 000 to 30 000. */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
  /** For dialling and the master's Welcome. Default 15 000. */
  readonly welcomeMs?: number;
  readonly onState?: (state: SessionState) => void;
}

export interface Session {
  /** Resolves when stopped, or when the master revoked this server. Never throws. */
  run(): Promise<'stopped' | 'revoked'>;
  stop(): void;
}

const STEADY_MS = 3000; // a session that held so long was a good one

export function createSession(options: SessionOptions): Session {
  const { log, now } = options;
  const { minMs, maxMs } = options.backoff ?? { minMs: 1_000, maxMs: 30_000 };
  const backoff = createBackoff({ minMs, maxMs, random: Math.random });
  const stopping = new AbortController();
  let identity = options.identity;
  let lastEnd = '';
  let saving: Promise<void> = Promise.resolve();

  /** One after the other: the last one asked for is the one that stays. */
  const save = (next: AgentIdentity) => saving.then(() => options.store.save(next));
  const keepMasters = (welcome: Welcome) => {
    const masters = welcome.masters.filter(isAddress).slice(0, 50);
    const enrolAddresses = welcome.enrolAddresses.filter(isAddress).slice(0, 50);
    const same = (a: readonly string[], b: readonly string[]) => a.length === 0 || a.join() === b.join();
    if (same(masters, identity.masters) && same(enrolAddresses, identity.enrolAddresses)) return;
    identity = {
      ...identity,
      masters: masters.length === 0 ? identity.masters : masters,
      enrolAddresses: enrolAddresses.length === 0 ? identity.enrolAddresses : enrolAddresses,
    };
    saving = save(identity).catch((error: unknown) => log.error({ err: error }, 'cannot keep the masters'));
  };

  const open = async (address: string): Promise<StreamEnd> => {
    options.onState?.({ is: 'connecting', master: address, serverState: '', why: lastEnd });
    const began = now();
    const end = await runStream({
      ...options,
      address,
      identity,
      welcomeMs: options.welcomeMs ?? 15_000,
      signal: stopping.signal,
      onWelcome(welcome) {
        log.info({ master: address, server: welcome.serverName, state: welcome.serverState }, 'session open');
        options.onState?.({ is: 'connected', master: address, serverState: welcome.serverState, why: '' });
        keepMasters(welcome);
        options.onMaster?.(address, identity);
      },
      async onRenewed(renewed) {
        const merged = { ...renewed, masters: identity.masters, enrolAddresses: identity.enrolAddresses };
        await save(merged);
        identity = merged;
        log.info({ until: new Date(validity(merged.certificatePem).to) }, 'certificate renewed');
      },
    });
    if (end.welcomed && now() - began >= STEADY_MS) backoff.reset();
    lastEnd = end.why;
    const level = end.is === 'revoked' ? 'error' : end.is === 'lost' || end.is === 'replaced' ? 'warn' : 'info';
    log[level]({ master: address, end: end.is }, `session over: ${end.why}`);
    return end;
  };

  /** Whatever it cannot do is tried again with the next round; a clock that is wrong may come right. */
  const recoverIdentity = async (): Promise<'revoked' | undefined> => {
    const expired = new Date(validity(identity.certificatePem).to);
    log.warn({ expired }, 'the certificate of this agent has expired; asking for another');
    try {
      const recovered = await recover(identity);
      await save(recovered);
      identity = recovered;
      log.info({ until: new Date(validity(recovered.certificatePem).to) }, 'certificate recovered');
    } catch (error) {
      const what = error instanceof AegirError ? error : toAegirError(error, 'recover the certificate');
      log.error({ err: what }, `${what.message} (or is this clock wrong?)`);
      lastEnd = what.message;
      if (what.code === 'permission_denied') return 'revoked';
    }
    return undefined;
  };

  /** Every master once; stops early where the answer is for all of them. */
  const round = async (): Promise<StreamEnd['is']> => {
    let last: StreamEnd['is'] = 'lost';
    if (validity(identity.certificatePem).to < now() && (await recoverIdentity()) === 'revoked') return 'revoked';
    for (const address of identity.masters) {
      if (stopping.signal.aborted) return 'stopped';
      last = (await open(address)).is;
      while (last === 'renewed') last = (await open(address)).is;
      if (last !== 'lost') return last;
    }
    return last;
  };

  return {
    async run() {
      for (;;) {
        const delay = backoff.next();
        if (delay > 0) await pause(delay, stopping.signal);
        const is = await round().catch((error: unknown): StreamEnd['is'] => {
          log.error({ err: error }, 'cannot open a session');
          return 'lost';
        });
        if (is === 'stopped' || is === 'revoked') {
          await saving;
          options.onState?.({ is, master: '', serverState: '', why: lastEnd });
          return is;
        }
        // Whoever has our identity besides us would only be replaced in turn.
        if (is === 'replaced') await pause(jittered(maxMs, 0.5), stopping.signal);
      }
    },
    stop: () => stopping.abort(),
  };
}

function isAddress(text: string): boolean {
  try {
    parseAddress(text);
    return true;
  } catch {
    return false;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}
