// probe-ports: whether ports of other servers' services are reached from here. It connects and closes; nothing is sent.
import type { PortAnswer } from '../../shared/gen/aegir/v1/agent.ts';
import { knock } from '../../shared/knock.ts';
import type { ActionHandler } from './action.ts';

export function createProbePorts(): ActionHandler<'probePorts'> {
  return {
    kind: 'probePorts',
    label: () => 'probe-ports',
    async run({ targets }, ctx) {
      const ports = await Promise.all(
        targets.map(async ({ address, port }): Promise<PortAnswer> => {
          return { address, port, answer: await knock(address, port, ctx.signal) };
        }),
      );
      ctx.signal.throwIfAborted();
      return { changes: [], ports };
    },
  };
}
