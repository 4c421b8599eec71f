// What the gates were told last, in one small file: an agent that starts anew opens them as they were, before the master
// has said anything.
import { join } from 'node:path';
import { isId } from '../../shared/id.ts';
import type { Files } from '../host/host.ts';
import type { GateOrder } from './gate.ts';

export interface KeptGate {
  readonly siteId: string;
  /** Whose processes pass requests on to it. */
  readonly webUser: string;
  readonly order: GateOrder;
}

export interface GateState {
  /** Empty where there is none, or nothing that we wrote. */
  load(): Promise<readonly KeptGate[]>;
  save(gates: readonly KeptGate[]): Promise<void>;
}

export function createGateState(files: Files, stateDir: string): GateState {
  const path = join(stateDir, 'gates.json');
  return {
    async load() {
      const text = await files.read(path);
      return text === undefined ? [] : parse(text);
    },
    async save(gates) {
      if (gates.length === 0) return files.remove(path);
      await files.write(path, `${JSON.stringify(gates)}\n`, { mode: 0o600 });
    },
  };
}

function parse(text: string): readonly KeptGate[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter(isKept) : [];
  } catch {
    return [];
  }
}

function isKept(value: unknown): value is KeptGate {
  const { siteId, webUser, order } = (value ?? {}) as Partial<KeptGate>;
  return (
    typeof siteId === 'string' &&
    isId('site', siteId) &&
    typeof webUser === 'string' &&
    ['hold', 'forward', 'refuse'].includes(order?.phase ?? '') &&
    Number.isInteger(order?.maxHeld) &&
    Number.isInteger(order?.maxHoldMillis)
  );
}
