// open-replica, follow and close-replica: a site's database follows one on another server, by the services' engine.
import { AegirError } from '../../shared/error.ts';
import type { ReplicaFacts } from '../../shared/gen/aegir/v1/move.ts';
import type { ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import { canReplicate, type Replicating, type ReplicatingByParts } from '../engine/engine.ts';
import { type ActionHandler, engineFor, type Tools } from './action.ts';

const NONE: ReplicaFacts = { position: '', running: false, caughtUp: false, error: '' };

export function createOpenReplica(): ActionHandler<'openReplica'> {
  return {
    kind: 'openReplica',
    label: () => 'open-replica',
    async run({ service, db, follower, preview }, ctx, tools) {
      const engine = replicating(tools, service);
      if (engine.replicates === 'by parts') {
        return { changes: [], replica: { ...NONE, position: await engine.endOfChanges(service, db, ctx) } };
      }
      if (follower.addresses.length === 0) throw notSo(service, 'as a part');
      return { changes: [], replica: await engine.openReplica(service, db, follower, preview, ctx) };
    },
  };
}

export function createFollow(): ActionHandler<'follow'> {
  return {
    kind: 'follow',
    label: ({ verb }) => `follow-${verb}`,
    async run({ service, db, leader, verb, position }, ctx, tools) {
      const engine = replicating(tools, service);
      if (engine.replicates === 'by parts') {
        if (verb !== 'stop') throw notSo(service, 'by its server');
        await engine.endFollowing(service, db, ctx);
        return { changes: [], replica: NONE };
      }
      if (leader.address === '') throw notSo(service, 'as a part');
      return { changes: [], replica: await engine.follow(service, db, leader, verb, position, ctx) };
    },
  };
}

export function createCloseReplica(): ActionHandler<'closeReplica'> {
  return {
    kind: 'closeReplica',
    label: () => 'close-replica',
    async run({ service, db }, ctx, tools) {
      const engine = replicating(tools, service);
      if (engine.replicates === 'by servers') await engine.closeReplica(service, db, ctx);
      return { changes: [] };
    },
  };
}

/** For parts of changes. */
export function replicatingByParts(tools: Tools, service: ServiceRef): ReplicatingByParts {
  const engine = replicating(tools, service);
  if (engine.replicates === 'by parts') return engine;
  throw notSo(service, 'as a part');
}

function replicating(tools: Tools, service: ServiceRef): Replicating {
  const engine = engineFor(tools, service);
  if (canReplicate(engine)) return engine;
  throw new AegirError('unimplemented', `cannot follow a database by ${engine.name}: it does not replicate`);
}

function notSo({ engine }: ServiceRef, how: string): AegirError {
  const why = `cannot follow a database of ${engine} ${how}: this agent does otherwise; update the master`;
  return new AegirError('unimplemented', why, { untouched: true });
}
