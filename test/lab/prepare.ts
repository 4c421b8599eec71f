// Before the first lab test, and under no test's time-out: the image of the hosts, which a machine builds once, and the binaries.
import { buildBase, labUnavailable } from '../../deploy/lab/lab.ts';
import { binaries } from './binaries.ts';

export async function setup(): Promise<void> {
  if (labUnavailable() === undefined) await Promise.all([buildBase(), binaries()]);
}
