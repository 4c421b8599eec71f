// An agent's leave to use the mesh: given at Hello and when it asks, and again before it ends.
import { type AegirError, toAegirError } from '../../shared/error.ts';
import type { MasterMessage, MeshCredentials } from '../../shared/gen/aegir/v1/agent.ts';
import type { SessionLog } from './status.ts';

export interface MeshLeave {
  /** Gives leave for the agent's public nkey, now; one at a time. */
  give(meshKey: string): void;
  close(): void;
}

export interface MeshLeaveOptions {
  /** undefined: there is no mesh, or not for this server. */
  readonly credentials: (meshKey: string) => Promise<MeshCredentials | undefined>;
  readonly send: (body: NonNullable<MasterMessage['body']>) => void;
  /** This key gets none, and asking again would not help: told once, then nothing more is tried. */
  readonly refused: (error: AegirError) => void;
  readonly log: SessionLog;
  now(): number;
}

const USED = 0.8; // of the life; agents ask by themselves at two thirds
const LEAST_MS = 5_000;
const MOST_MS = 24 * 3_600_000;
const RETRY_MS = 30_000;

export function isMeshKey(text: string): boolean {
  return /^U[A-Z2-7]{55}$/.test(text);
}

export function createMeshLeave(options: MeshLeaveOptions): MeshLeave {
  let key = '';
  let giving = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const again = (ms: number): void => {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(give, Math.min(MOST_MS, Math.max(LEAST_MS, ms)));
  };
  const give = (): void => {
    if (giving || closed || key === '') return;
    giving = true;
    options
      .credentials(key)
      .then(
        (leave) => {
          if (closed || leave === undefined) return;
          options.send({ $case: 'mesh', value: leave });
          if (leave.expiresAt !== undefined) again((leave.expiresAt.getTime() - options.now()) * USED);
        },
        (thrown: unknown) => {
          const error = toAegirError(thrown, 'give leave to use the mesh');
          if (error.code === 'failed_precondition') return options.refused(error);
          options.log.warn({ err: thrown }, 'cannot give an agent leave to use the mesh; trying again');
          again(RETRY_MS);
        },
      )
      .finally(() => {
        giving = false;
      });
  };

  return {
    give(meshKey) {
      key = meshKey;
      give();
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
