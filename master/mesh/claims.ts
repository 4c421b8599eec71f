// The JWTs of the mesh: operator, accounts with their revocations, and one user per agent with explicit subjects.
import { type Account, encodeAccount, encodeOperator, encodeUser } from 'nats-jwt';
import type { MeshKeys } from './keys.ts';

/** What agents say to each other: see mesh.proto. */
const WORDS = ['ask', 'give'];

/**
 * Subjects: aegir.to.RECEIVER.from.SENDER.WORD.TRANSFER. An agent may publish only as itself and listen only for itself,
 * so a receiver can trust the sender's id in the subject.
 */
export function agentSubjects(serverId: string) {
  return {
    publish: WORDS.map((word) => `aegir.to.*.from.${serverId}.${word}.*`),
    subscribe: WORDS.map((word) => `aegir.to.${serverId}.from.*.${word}.*`),
  };
}

const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** Of all agents together, with room to reconnect: NATS counts them by account, not by user. */
const MAX_CONNECTIONS = 10_000;
const MAX_SUBSCRIPTIONS = 1000;

export function operatorClaims(keys: MeshKeys): Promise<string> {
  return encodeOperator('aegir', keys.operator, { system_account: keys.system.getPublicKey() });
}

export function systemClaims(keys: MeshKeys): Promise<string> {
  // Limits that are left out count as 0: without them not even the master may connect.
  const limits = { conn: -1, subs: -1, data: -1, payload: -1, imports: -1, exports: -1, leaf: -1, wildcards: true };
  return encodeAccount('SYS', keys.system, { limits }, { signer: keys.operator });
}

/** revocations: public user key to the time (s since 1970) up to which its JWTs are void. */
export function accountClaims(keys: MeshKeys, revocations: Readonly<Record<string, number>>): Promise<string> {
  const account: Partial<Account> = {
    limits: {
      conn: MAX_CONNECTIONS,
      subs: -1,
      data: -1,
      payload: MAX_PAYLOAD_BYTES,
      imports: 0,
      exports: 0,
      leaf: 0,
      wildcards: false,
      disallow_bearer: true,
    },
    revocations: { ...revocations },
  };
  return encodeAccount('AEGIR', keys.account, account, { signer: keys.operator });
}

/** expiresAt in ms since 1970. Works only together with the seed of userKey, which never leaves the agent. */
export function agentClaims(keys: MeshKeys, serverId: string, userKey: string, expiresAt: number): Promise<string> {
  const subjects = agentSubjects(serverId);
  return encodeUser(
    serverId,
    userKey,
    keys.account,
    {
      pub: { allow: subjects.publish, deny: [] },
      sub: { allow: subjects.subscribe, deny: [] },
      allowed_connection_types: ['STANDARD'],
      subs: MAX_SUBSCRIPTIONS,
      payload: MAX_PAYLOAD_BYTES,
      data: -1,
    },
    { exp: Math.floor(expiresAt / 1000) },
  );
}

/** The master's own user in the system account: pushes account claims. */
export function systemUserClaims(keys: MeshKeys, userKey: string, expiresAt: number): Promise<string> {
  return encodeUser('master', userKey, keys.system, {}, { exp: Math.floor(expiresAt / 1000) });
}
