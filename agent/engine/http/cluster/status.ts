// How the heads of a cluster are, as the running HAProxy says: health from its worker, requests from that one and from
// those that end after a reload.
import { AegirError } from '../../../../shared/error.ts';
import type { ClusterStatus } from '../../../../shared/gen/aegir/v1/agent.ts';
import { askHaproxy } from '../../../host/haproxy-socket.ts';
import type { Daemon } from '../../../host/host.ts';
import type { FrontCluster } from './front-cluster.ts';
import { backendOf, GENERATION, writerBackendOf } from './render.ts';

type Row = Readonly<Record<string, string>>;

const MASTER_MS = 5_000;

export async function clusterStatusOf(daemon: Daemon, cluster: FrontCluster): Promise<ClusterStatus> {
  const current = parseStat(await askHaproxy(daemon.socket, 'show stat'));
  const ending = await endingWorkers(daemon);
  const { clusterId, heads } = cluster;
  const mine = new Set([
    ...[backendOf(clusterId, false), backendOf(clusterId, true)],
    ...heads.map(({ serviceId }) => writerBackendOf(clusterId, serviceId)),
  ]);
  return {
    heads: cluster.heads.map(({ serviceId, state }) => {
      const of = (rows: readonly Row[]) =>
        rows.filter((row) => row['svname'] === serviceId && mine.has(row['pxname'] ?? ''));
      const checked = of(current).find((row) => row['pxname'] === backendOf(cluster.clusterId, false));
      const works = (rows: readonly Row[]) => of(rows).reduce((sum, row) => sum + Number(row['scur'] ?? 0), 0);
      const requests = works(current) + ending.reduce((sum, rows) => sum + works(rows) + mayCome(rows, of(rows)), 0);
      return {
        serviceId,
        state,
        healthy: /^(?:UP|DRAIN|no check)/.test(checked?.['status'] ?? ''),
        check: checkText(checked, state),
        requests: BigInt(requests),
        sinceSeconds: BigInt(checked?.['lastchg'] || 0),
      };
    }),
  };
}

function checkText(row: Row | undefined, state: string): string {
  if (row === undefined) return 'the running HAProxy does not know it';
  if (state === 'out') return 'not checked while it is out';
  const { check_status: status = '', last_chk: last = '', check_desc: what = '' } = row;
  return [status, what, last].filter(Boolean).join(', ') || 'no check yet';
}

/** What the running HAProxy has loaded; undefined when it does not run or has none of ours. */
export async function loadedGeneration(daemon: Daemon): Promise<string | undefined> {
  try {
    const answer = await askHaproxy(daemon.socket, `show env ${GENERATION}`);
    return new RegExp(`^${GENERATION}=([0-9a-f]{64})$`, 'm').exec(answer)?.[1];
  } catch {
    return undefined;
  }
}

/**
 * A worker that ends answers one more request on each connection that a visitor keeps open, by the heads that it knows.
 * Until these are closed the head may still get them.
 */
function mayCome(rows: readonly Row[], head: readonly Row[]): number {
  if (head.every((row) => row['status']?.startsWith('MAINT') !== false)) return 0;
  const sum = (wanted: (row: Row) => boolean) =>
    rows.filter(wanted).reduce((total, row) => total + Number(row['scur'] || 0), 0);
  const visitors = sum((row) => row['svname'] === 'FRONTEND');
  const atHeads = sum((row) => row['svname'] !== 'FRONTEND' && row['svname'] !== 'BACKEND');
  return Math.max(0, visitors - atHeads);
}

async function endingWorkers(daemon: Daemon): Promise<readonly (readonly Row[])[]> {
  if (daemon.control === undefined) return [];
  const [, old = ''] = (await processesOf(daemon.control)).split('# old workers');
  const pids = [...old.matchAll(/^([0-9]+)\s+worker\s/gm)].map(([, pid]) => pid);
  const { control } = daemon;
  // One may end while it is asked.
  return Promise.all(
    pids.map((pid) =>
      askHaproxy(control, `@!${pid} show stat`)
        .then(parseStat)
        .catch((): readonly Row[] => []),
    ),
  );
}

/** Right after a reload the master does not answer for a moment, and what is not known must not be taken for nothing. */
async function processesOf(control: string): Promise<string> {
  for (const deadline = Date.now() + MASTER_MS; ; ) {
    try {
      return await askHaproxy(control, 'show proc');
    } catch (thrown) {
      // An operator may have taken it away from the unit: then nobody knows of workers that end.
      const { cause } = thrown as { cause?: { code?: string } };
      if (cause?.code === 'ENOENT') return '';
      if (Date.now() > deadline) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** CSV of `show stat` (management guide, 9.1): the first line names the columns. */
export function parseStat(text: string): readonly Row[] {
  const [first = '', ...lines] = text.split('\n');
  if (!first.startsWith('# ')) throw new AegirError('unavailable', 'cannot read what HAProxy says of its heads');
  const columns = first.slice(2).split(',');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const cells = csvCells(line);
      return Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? '']));
    });
}

/** Descriptions may be quoted, with commas. */
function csvCells(line: string): readonly string[] {
  return [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map(([, cell = '']) =>
    cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell,
  );
}
