// Calls of a file system that may hang for ever, as one whose server is gone: each is waited for in bounds, and after one
// that did not come back no further one is made, for each would take one of the few threads that serve them all.
import { AegirError } from '../../../shared/error.ts';

const WITHIN_MS = 60_000;

export type Call = <T>(act: () => Promise<T>) => Promise<T>;

export function createCalls(where: string, withinMs = WITHIN_MS): Call {
  let hangs = false;
  const late = () =>
    new AegirError('unavailable', `cannot use ${where}: it does not answer; mount it anew, or look for its server`);
  return async (act) => {
    if (hangs) throw late();
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      hangs = true;
      reject(late());
    }, withinMs);
    try {
      return await Promise.race([act(), promise]);
    } finally {
      clearTimeout(timer);
    }
  };
}
