// open-replica, follow and close-replica: a site's database follows one on another server, by the services' engine.
import { AegirError } from '../../shared/error.ts';
import type { ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import { canReplicate, type Engine, type Replicating } from '../engine/engine.ts';
import { type ActionHandler, engineFor, type Tools } from './action.ts';

export function createOpenReplica(): ActionHandler<'openReplica'> {
  return {
    kind: 'openReplica',
    label: () => 'open-replica',
    async run({ service, db, follower, preview }, ctx, tools) {
      const replica = await replicating(tools, service).openReplica(service, db, follower, preview, ctx);
      return { changes: [], replica };
    },
  };
}

export function createFollow(): ActionHandler<'follow'> {
  return {
    kind: 'follow',
    label: ({ verb }) => `follow-${verb}`,
    async run({ service, db, leader, verb, position }, ctx, tools) {
      const replica = await replicating(tools, service).follow(service, db, leader, verb, position, ctx);
      return { changes: [], replica };
    },
  };
}

export function createCloseReplica(): ActionHandler<'closeReplica'> {
  return {
    kind: 'closeReplica',
    label: () => 'close-replica',
    async run({ service, db }, ctx, tools) {
      await replicating(tools, service).closeReplica(service, db, ctx);
      return { changes: [] };
    },
  };
}

function replicating(tools: Tools, service: ServiceRef): Engine<'db'> & Replicating {
  const engine = engineFor(tools, service);
  if (canReplicate(engine)) return engine;
  throw new AegirError('unimplemented', `cannot follow a database by ${engine.name}: it does not replicate`);
}
