// What the admin layer is given, and who is calling. One file per noun beside this one does the work.
import type { AegirError } from '../../shared/error.ts';
import type { ChangeOptions } from '../../shared/gen/aegir/v1/admin.ts';
import type { Event } from '../../shared/gen/aegir/v1/event.ts';
import type { IdPrefix } from '../../shared/id.ts';
import type { Role } from '../../shared/vocabulary.ts';
import type { Plan } from '../plan/plan.ts';
import type { Agents } from '../session/agents.ts';
import type {
  HeadRecord,
  PlatformRecord,
  SecretRecord,
  ServiceRecord,
  SiteRecord,
  ZoneRecord,
} from '../store/model.ts';
import type { Store } from '../store/store.ts';
import type { Denial } from './denials.ts';

export interface Caller {
  /** Token id with its description, for the audit log and tasks. */
  readonly actor: string;
  readonly role: Role;
  /** Aborted when nobody waits for the answer any more. */
  readonly gone?: AbortSignal;
}

/** Records that a plan would save, for a preview before they are saved. */
export interface Draft {
  readonly site?: SiteRecord;
  readonly platform?: PlatformRecord;
  readonly service?: ServiceRecord;
  readonly zone?: ZoneRecord;
  readonly heads?: readonly HeadRecord[];
  readonly secrets?: readonly SecretRecord[];
}

export interface StepPreview {
  readonly changes: readonly string[];
  readonly note: string;
  readonly refusal?: AegirError;
}

export interface MasterFacts {
  readonly version: string;
  readonly startedAt: number;
  readonly caPin: string;
  readonly addresses: readonly string[];
  /** Whether an administrator agreed to the terms of the certificate authority, in the configuration. */
  readonly acmeAgreed: boolean;
  /** The master's, for what a person says there. */
  readonly configFile: string;
  meshState(): string;
}

export interface CertificateFacts {
  readonly names: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  readonly issuer: string;
}

export interface AdminDeps {
  readonly store: Store;
  readonly agents: Agents;
  readonly facts: MasterFacts;
  now(): number;
  newId(prefix: IdPrefix): string;
  /** URL-safe random text of 32 characters (192 bits). */
  newSecret(): string;
  seal(secretId: string, text: string): string;
  unseal(secretId: string, sealed: string): string;
  /** 32 random bytes in hexadecimal. */
  newKey(): string;
  /** As web servers read it. Few at a time: throws resource_exhausted when too many wait, cancelled when gone is aborted. */
  hashPassword(password: string, gone?: AbortSignal): Promise<string>;
  /** What a certificate chain says. Throws Error with a reason when chain and key do not fit. */
  judgeCertificate(chainPem: string, keyPem: string): CertificateFacts;
  /** A token's value and its hash. */
  newToken(kind: 'join' | 'api'): { readonly value: string; readonly hash: string };
  /** The line to run on a new host. */
  joinCommand(tokenValue: string): string;
  /** Cuts the server's mesh connection, now and for ever; durable when it resolves. */
  revokeMesh(serverId: string): Promise<void>;
  wakeRunner(): void;
  /** Into the audit log, in bounds. */
  denied(denial: Denial): void;
  watch(taskId: string, afterSeq: number, signal: AbortSignal): AsyncIterable<Event>;
  /**
   * Asks agents what a plan would change, few plans of callers of one role at a time: who may only look keeps nobody from
   * working. Throws resource_exhausted when too many wait.
   */
  preview(plan: Plan, draft: Draft, role: Caller['role']): Promise<readonly StepPreview[]>;
}

export type Options = ChangeOptions | undefined;
