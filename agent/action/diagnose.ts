// diagnose: the host as a whole: clock, disks, memory, load, its own name, updates, the daemons of our engines, the agent.
import type { Finding } from '../../shared/finding.ts';
import type { ServiceRef } from '../../shared/gen/aegir/v1/spec.ts';
import { checkClock } from '../diagnosis/clock.ts';
import { checkDisks } from '../diagnosis/disk.ts';
import { checkLoad } from '../diagnosis/load.ts';
import { checkMemory } from '../diagnosis/memory.ts';
import { checkOwnName } from '../diagnosis/own-name.ts';
import { checkReboot } from '../diagnosis/reboot.ts';
import { checkUpdates } from '../diagnosis/updates.ts';
import type { ActionContext } from '../engine/engine.ts';
import { canCheck } from '../engine/engine.ts';
import type { ActionHandler, Tools } from './action.ts';
import { checkCron } from './cron.ts';
import { searchSites } from './search-sites.ts';

export function createDiagnose(): ActionHandler<'diagnose'> {
  return {
    kind: 'diagnose',
    label: () => 'diagnose',
    async run({ masterTime, services, hostOnly, search }, ctx, tools) {
      const identity = await ctx.host.identity();
      const findings: Finding[] = [
        { subject: 'agent', code: 'agent.version', level: 'ok', text: `agent ${tools.agentVersion} on ${identity.os}` },
      ];
      if (masterTime !== undefined) findings.push(checkClock(tools.now(), masterTime.getTime()));
      findings.push(...(await checkDisks(identity.disks)));
      findings.push(...(await checkMemory()));
      findings.push(await checkLoad(identity.cpus));
      findings.push(await checkOwnName(identity));
      findings.push(...(await checkUpdates(ctx.host, ctx.signal, tools.now())));
      findings.push(...(await checkReboot(ctx.host, identity.kernel)));
      const found = search === undefined ? {} : { found: await searchSites(search, ctx, tools) };
      if (hostOnly) return { changes: [], findings, ...found };
      findings.push(...checkCron(tools));
      for (const look of serviceChecks(services, ctx, tools)) {
        ctx.signal.throwIfAborted();
        findings.push(...(await look()));
      }
      return { changes: [], findings, ...found };
    },
  };
}

/** The services that the master names as it knows them, and the others that engines detect as those are. */
function serviceChecks(
  named: readonly ServiceRef[],
  ctx: ActionContext,
  tools: Tools,
): readonly (() => Promise<readonly Finding[]>)[] {
  return tools.engines.filter(canCheck).map((engine) => async () => {
    const subject = `service:${engine.name}`;
    const ours = named.filter(({ type, engine: name }) => type === engine.type && name === engine.name);
    try {
      const findings: Finding[] = [];
      for (const service of ours) findings.push(...(await engine.check(service, ctx)));
      // What a file service is, only its settings say: one that is not named is none yet.
      const found = engine.type === 'file' ? [] : await engine.detect(ctx.host);
      for (const { version, instance } of found) {
        if (ours.some((service) => service.instance === instance)) continue;
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
