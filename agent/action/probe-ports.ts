// probe-ports: whether ports of other servers' services are reached from here. It connects and closes; nothing is sent.
import type { PortAnswer } from '../../shared/gen/aegir/v1/agent.ts';
import { type Knocked, knock } from '../../shared/knock.ts';
import type { ActionHandler } from './action.ts';

/** A link that is gone for a few seconds is no firewall. Three of them last 9 s at most. */
const KNOCKS = 3;

export function createProbePorts(knockAt: typeof knock = knock): ActionHandler<'probePorts'> {
  const answerOf = async (address: string, port: number, signal: AbortSignal): Promise<Knocked> => {
    for (let knocks = 1; ; knocks++) {
      const answer = await knockAt(address, port, signal);
      if (answer === 'open' || answer === 'refused' || knocks === KNOCKS || signal.aborted) return answer;
    }
  };
  return {
    kind: 'probePorts',
    label: () => 'probe-ports',
    async run({ targets }, ctx) {
      const ports = await Promise.all(
        targets.map(async ({ address, port }): Promise<PortAnswer> => {
          return { address, port, answer: await answerOf(address, port, ctx.signal) };
        }),
      );
      ctx.signal.throwIfAborted();
      return { changes: [], ports };
    },
  };
}
