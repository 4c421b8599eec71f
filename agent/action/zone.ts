// apply-zone and remove-zone: a zone of a dns service, by the service's engine.
import { AegirError } from '../../shared/error.ts';
import type { ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import { type Engine, hasZones, type Zoned } from '../engine/engine.ts';
import { type ActionHandler, engineFor, previewOrRun, type Tools } from './action.ts';

export function createApplyZone(): ActionHandler<'applyZone'> {
  return {
    kind: 'applyZone',
    label: () => 'apply-zone',
    async run({ service, preview, zone }, ctx, tools) {
      return previewOrRun(await zonedEngine(tools, service).planZone(service, zone, ctx), preview, ctx);
    },
  };
}

export function createRemoveZone(): ActionHandler<'removeZone'> {
  return {
    kind: 'removeZone',
    label: () => 'remove-zone',
    async run({ service, preview, name }, ctx, tools) {
      return previewOrRun(await zonedEngine(tools, service).removeZone(service, name, ctx), preview, ctx);
    },
  };
}

function zonedEngine(tools: Tools, service: ServiceRef): Engine<'dns'> & Zoned {
  const engine = engineFor(tools, service);
  if (hasZones(engine)) return engine;
  throw new AegirError(
    'failed_precondition',
    `cannot make or remove a zone by ${engine.name}: its zones are made elsewhere, for example at the DNS provider`,
  );
}
