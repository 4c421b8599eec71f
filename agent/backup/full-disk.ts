// A disk that is full is told as such.
import { AegirError } from '../../shared/error.ts';

export function fullDisk<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause;
    const why = code === 'ENOSPC' ? 'the disk is full' : 'the quota of the disk is used up';
    throw new AegirError('resource_exhausted', `cannot write ${path}: ${why}; make room, then do it again`, {
      cause,
      retryable: false,
    });
  }
}
