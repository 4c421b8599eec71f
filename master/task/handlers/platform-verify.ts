// platform.verify: what the code base is, by the agent; kept with the platform.
import { AegirError } from '../../../shared/error.ts';
import type { PlatformFacts } from '../../../shared/gen/aegir/v1/agent.ts';
import { isAppName } from '../../../shared/vocabulary.ts';
import type { PlatformRecord } from '../../store/model.ts';
import type { StepHandler } from '../handler.ts';
import type { HandlerDeps } from '../parts.ts';
import { perform, platformOn } from '../perform.ts';

export function createPlatformVerify(deps: HandlerDeps): StepHandler<'platform.verify'> {
  const { store } = deps;
  return {
    kind: 'platform.verify',
    do: async (args, ctx) => {
      const platform = await store.platforms.get(args.platformId);
      if (platform === undefined)
        throw new AegirError('not_found', `cannot verify platform ${args.platformId}: it is not there any more`);
      const { id, app, root } = platform;
      try {
        const { output } = await perform(deps, ctx, 'do', args.serverId, `platform/${id}`, {
          $case: 'verifyPlatform',
          value: { platform: { id, app, root } },
        });
        const facts = output.platform;
        if (facts === undefined || !isAppName(facts.app))
          throw new AegirError('internal', `cannot verify platform ${platform.name}: the agent gave no facts`);
        if (args.compare) {
          requireSame(platform, facts);
          return { is: 'done' };
        }
        await store.platforms.update(id, { state: 'verified', app: facts.app, facts });
        ctx.emit({ $case: 'log', value: { level: 'info', text: `${root} is ${facts.app} ${facts.version}`.trim() } });
      } catch (thrown) {
        const passing = thrown instanceof AegirError && (thrown.retryable || thrown.code === 'cancelled');
        if (!args.added && !args.compare && !passing) await store.platforms.update(id, { state: 'failed' });
        throw thrown;
      }
      return { is: 'done' };
    },
    undo: async (args) => {
      if (args.added) await store.platforms.delete(args.platformId);
      return { is: 'done' };
    },
    neverBegan: async ({ added, platformId }) => {
      if (added) await store.platforms.delete(platformId);
    },
    // Versions are not compared: an earlier step of the plan may be what learns them.
    preview: async (args) => {
      const platform = await store.platforms.get(args.platformId);
      if (platform !== undefined) await platformOn(deps, args.serverId, platform);
      return [];
    },
  };
}

/** The web servers of a cluster run one code base: the same app of the same version in the same place. */
function requireSame(platform: PlatformRecord, facts: PlatformFacts): void {
  const differs = (['app', 'version', 'docroot'] as const).find((key) => platform.facts?.[key] !== facts[key]);
  if (differs === undefined) return;
  const [has, needs] = [facts[differs] || 'none', platform.facts?.[differs] || 'none'];
  throw new AegirError(
    'failed_precondition',
    `cannot use ${platform.root} there: its ${differs} is ${has}, and that of platform ${platform.name} is ${needs}; ` +
      'put the same code base there',
  );
}
