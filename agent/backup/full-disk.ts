// A disk that is full is told as such.
import { AegirError } from '../../shared/error.ts';

/** path: asked for when it is. */
export function fullDisk<T>(path: string | (() => string), act: () => T): T {
  try {
    return act();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause;
    const why = code === 'ENOSPC' ? 'the disk is full' : 'the quota of the disk is used up';
    const what = typeof path === 'string' ? path : path();
    throw new AegirError('resource_exhausted', `cannot write ${what}: ${why}; make room, then do it again`, {
      cause,
      retryable: false,
    });
  }
}
