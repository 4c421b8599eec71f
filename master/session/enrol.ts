// Joining: a join token becomes a server and its first certificate. With recovery the only thing that is reachable
// without a certificate, so everything here is bounded before it costs anything.
import { randomBytes } from 'node:crypto';
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { sameSecret } from '../../shared/digest.ts';
import { AegirError } from '../../shared/error.ts';
import {
  type EnrolRequest,
  type EnrolResponse,
  type EnrolServiceServer,
  EnrolServiceService,
  type RecoverRequest,
  type RecoverResponse,
} from '../../shared/gen/aegir/v1/agent.ts';
import { makeId } from '../../shared/id.ts';
import type { Authority } from '../ca/authority.ts';
import { tokenHash, tokenKind } from '../ca/tokens.ts';
import type { ServerRecord, TokenRecord } from '../store/model.ts';
import type { Store, Tx } from '../store/store.ts';
import { createGate } from './gate.ts';
import { checkFacts } from './inventory-check.ts';
import { callerOf, createRateLimit } from './rate-limit.ts';
import { recover } from './recover.ts';
import { uniqueServerName } from './server-name.ts';
import { type SessionLog, statusOf } from './status.ts';
import { withoutTaken } from './taken-addresses.ts';

export interface EnrolDeps {
  readonly store: Store;
  readonly authority: Authority;
  readonly log: SessionLog;
  now(): number;
  /** Where agents open their sessions, host:port, in order of preference. */
  masters(): readonly string[];
  /** Told of each who was refused; in bounds. peer: address:port. */
  denied?(peer: string, path: string, code: string): void;
  /** Where this service is served, host:port, in order of preference. */
  enrolAddresses(): readonly string[];
}

const AT_ONCE = 4;
const MAX_WAITING = 100;
const BURST = 60; // a rack of hosts behind one address may join together
const PER_SECOND = 1;
const DENIED: ReadonlySet<string> = new Set(['unauthenticated', 'permission_denied']);
const FAILURE_COSTS = 5; // beside the 1 of every try

export function createEnrolService(deps: EnrolDeps): EnrolServiceServer {
  const gate = createGate(AT_ONCE, MAX_WAITING, 'join');
  const limit = createRateLimit({ burst: BURST, perSecond: PER_SECOND, now: deps.now });

  /** Within bounds, whatever a stranger asks. */
  async function bounded<Q, A>(
    call: ServerUnaryCall<Q, A>,
    path: string,
    what: string,
    work: () => Promise<A>,
  ): Promise<A> {
    const caller = callerOf(call.getPeer());
    if (!limit.take(caller)) {
      deps.denied?.(call.getPeer(), path, 'resource_exhausted');
      throw new AegirError('resource_exhausted', `cannot ${what}: too many tries from this address; wait a minute`, {
        retryable: true,
      });
    }
    try {
      return await gate.run(async () => {
        if (call.cancelled) throw new AegirError('cancelled', `cannot ${what}: the caller has gone`);
        return work();
      });
    } catch (thrown) {
      if (thrown instanceof AegirError && thrown.code !== 'resource_exhausted') limit.take(caller, FAILURE_COSTS);
      if (thrown instanceof AegirError && DENIED.has(thrown.code)) deps.denied?.(call.getPeer(), path, thrown.code);
      deps.log.warn({ caller, err: thrown }, `refused a host that wanted to ${what}`);
      throw thrown;
    }
  }
  const reply =
    <Q, A>(path: string, what: string, work: (request: Q, peer: string) => Promise<A>) =>
    (call: ServerUnaryCall<Q, A>, answer: sendUnaryData<A>) => {
      bounded(call, path, what, () => work(call.request, call.getPeer())).then(
        (response) => answer(null, response),
        (thrown: unknown) => answer(statusOf(deps.log, path, thrown)),
      );
    };

  return {
    enrol: reply<EnrolRequest, EnrolResponse>(EnrolServiceService.enrol.path, 'join', (request, peer) =>
      join(deps, request, peer),
    ),
    recover: reply<RecoverRequest, RecoverResponse>(
      EnrolServiceService.recover.path,
      'recover the certificate',
      (request) => recover(deps, request),
    ),
  };
}

async function join(deps: EnrolDeps, request: EnrolRequest, peer: string): Promise<EnrolResponse> {
  const { store, authority, log } = deps;
  // First a look, so that nobody without a token makes us verify or sign; what counts is the look in the transaction.
  await validToken(store, request.token, deps.now());
  const facts = checkFacts(request.facts, log, peer);
  const serverId = makeId('srv', deps.now(), randomBytes(7));
  const certificate = await authority.issueServer(serverId, request.csrPem);

  const server = await store.transaction(async (tx) => {
    const token = await validToken(tx, request.token, deps.now());
    await tx.tokens.update(token.id, { usesLeft: token.usesLeft - 1 });
    const others = await tx.servers.find();
    const taken = new Set(others.filter((other) => other.state !== 'revoked').map((other) => other.name));
    const name = uniqueServerName(request.name === '' ? facts.hostname : request.name, taken);
    const record: ServerRecord = {
      id: serverId,
      name,
      state: token.autoAccept ? 'accepted' : 'pending',
      facts: await withoutTaken(tx, { id: serverId, name, state: 'pending', facts }, facts, log),
      autoEnable: token.autoEnable,
      enrolledAt: deps.now(),
      lastSeenAt: null,
      certificateExpiresAt: certificate.notAfter,
    };
    await tx.servers.insert(record);
    await tx.certificates.insert({
      id: certificate.serial,
      serverId,
      notAfter: certificate.notAfter,
      revokedAt: null,
    });
    return record;
  });

  log.info({ server: server.id, name: server.name, state: server.state }, 'a server joined');
  return {
    serverId: server.id,
    name: server.name,
    certificatePem: certificate.pem,
    caPem: authority.caPem,
    masters: [...deps.masters()],
    enrolAddresses: [...deps.enrolAddresses()],
  };
}

/** Why a token is refused is told only to those who know its value. */
async function validToken(tx: Pick<Tx, 'tokens'>, value: string, now: number): Promise<TokenRecord> {
  const refuse = (why: string): never => {
    throw new AegirError(
      'unauthenticated',
      `cannot join: the join token ${why}; make a new one with: aegir server join-command`,
    );
  };
  if (tokenKind(value) !== 'join') return refuse('is not valid');
  const hash = tokenHash(value);
  const [token] = await tx.tokens.find({ hash });
  if (token === undefined || token.kind !== 'join' || !sameSecret(token.hash, hash)) return refuse('is not valid');
  if (token.revokedAt !== null) return refuse('was revoked');
  if (token.expiresAt !== null && token.expiresAt <= now) return refuse('has expired');
  if (token.usesLeft < 1) return refuse('is used up');
  return token;
}
