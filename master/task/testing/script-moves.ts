// What script agents do while a site moves: gates, databases that follow, ports, and code that brings a database along.
import { AegirError } from '../../../shared/error.ts';
import type { ActionOutput } from '../../../shared/gen/aegir/v1/agent.ts';
import type { ActionOrder } from '../../session/agents.ts';

/** In a world where no database can be followed. */
export const KEEPS_NO_LOG = 'no binary log';

/** undefined for an action that is about something else. */
export function moveOutput(
  world: Set<string>,
  serverId: string,
  { request, resource }: ActionOrder,
): Partial<ActionOutput> | undefined {
  const forget = (prefix: string) => {
    for (const line of [...world]) if (line.startsWith(prefix)) world.delete(line);
  };
  switch (request.$case) {
    case 'setGate': {
      const { phase } = request.value;
      forget(`${serverId} gate ${resource} `);
      if (phase !== 'closed') world.add(`${serverId} gate ${resource} ${phase}`);
      const counts = { waiting: 0n, held: 3n, longestMillis: 40n, forwarded: 3n, refused: 0n, failed: 0n };
      // By a clock that is an hour ahead.
      const holdingSince = phase === 'hold' ? new Date(Date.now() + 3_600_000) : undefined;
      return { gate: { phase, ...counts, lastAt: undefined, holdingSince } };
    }
    case 'siteTraffic':
      return { traffic: { lastAt: undefined } };
    case 'openReplica':
      if (world.has(KEEPS_NO_LOG)) {
        throw new AegirError(
          'failed_precondition',
          'cannot let another server follow it: the MariaDB keeps no binary log',
        );
      }
      // By an account that is made for the follower.
      if (request.value.password !== '') world.add(`${serverId} leads ${resource} `);
      return { replica: { position: 'binlog.1:4', running: false, caughtUp: false, error: '' } };
    case 'closeReplica':
      forget(`${serverId} leads ${resource} `);
      return {};
    case 'follow':
      if (request.value.verb === 'start') world.add(`${serverId} follows ${resource} `);
      if (request.value.verb === 'stop') forget(`${serverId} follows ${resource} `);
      return { replica: { position: '', running: true, caughtUp: true, error: '' } };
    case 'probePorts':
      return { ports: request.value.targets.map(({ address, port }) => ({ address, port, answer: 'open' })) };
    case 'upgradeSite':
      for (const line of [...world]) {
        const [, at] = /^(\S+ database of \S+ )/.exec(line) ?? [];
        if (at === undefined || !line.includes(` ${resource} `)) continue;
        world.delete(line);
        world.add(`${at}upgraded`);
      }
      return {};
    default:
      return undefined;
  }
}
