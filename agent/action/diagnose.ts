// diagnose: the host as a whole: clock, disks, memory, its own name, the daemons of our engines, the agent.

import type { Finding } from '../../shared/gen/aegir/v1/agent.ts';
import { checkClock } from '../diagnosis/clock.ts';
import { checkDisks } from '../diagnosis/disk.ts';
import { checkMemory } from '../diagnosis/memory.ts';
import { checkOwnName } from '../diagnosis/own-name.ts';
import type { ActionContext } from '../engine/engine.ts';
import { canCheck } from '../engine/engine.ts';
import type { ActionHandler, Tools } from './action.ts';
import { checkCron } from './cron.ts';

export function createDiagnose(): ActionHandler<'diagnose'> {
  return {
    kind: 'diagnose',
    label: () => 'diagnose',
    async run({ masterTime }, ctx, tools) {
      const identity = await ctx.host.identity();
      const findings: Finding[] = [
        { subject: 'agent', level: 'ok', text: `agent ${tools.agentVersion} on ${identity.os}` },
      ];
      if (masterTime !== undefined) findings.push(checkClock(tools.now(), masterTime.getTime()));
      findings.push(...(await checkDisks(identity.disks)));
      findings.push(await checkMemory());
      findings.push(await checkOwnName(identity));
      findings.push(...checkCron(tools));
      for (const look of serviceChecks(ctx, tools)) {
        ctx.signal.throwIfAborted();
        findings.push(...(await look()));
      }
      return { changes: [], findings };
    },
  };
}

function serviceChecks(ctx: ActionContext, tools: Tools): readonly (() => Promise<readonly Finding[]>)[] {
  return tools.engines.filter(canCheck).map((engine) => async () => {
    const subject = `service:${engine.name}`;
    try {
      const findings: Finding[] = [];
      for (const { version, instance } of await engine.detect(ctx.host)) {
        // The service's id is the master's business; a check is about the daemon.
        const service = {
          id: '',
          serverId: tools.serverId,
          type: engine.type,
          engine: engine.name,
          version,
          instance,
          settings: {},
          secrets: {},
        };
        findings.push(...(await engine.check(service, ctx)));
      }
      return findings;
    } catch (error) {
      ctx.signal.throwIfAborted();
      // One daemon that cannot even be looked at is a finding, not the end of the diagnosis.
      return [{ subject, level: 'error', text: error instanceof Error ? error.message : String(error) }];
    }
  });
}
