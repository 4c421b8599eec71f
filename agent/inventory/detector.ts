// The contract of detectors: what runs on the host beyond this agent's engines. They only look.
import type { DetectedService } from '../../shared/gen/aegir/v1/agent.ts';
import type { Host } from '../host/host.ts';

export interface Detector {
  readonly name: string;
  /** Empty when it is not there. Throws when it is there and cannot be looked at: the last answer then stands. */
  detect(host: Host): Promise<readonly DetectedService[]>;
}

/** A found service with the fields that most have none of. */
export function found(
  service: Pick<DetectedService, 'type' | 'engine' | 'version' | 'running'> & Partial<DetectedService>,
): DetectedService {
  return { instance: '', ports: [], configRoots: [], manageable: false, socket: '', capabilities: [], ...service };
}
