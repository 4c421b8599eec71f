// What the kernel says when a place for objects cannot be used, as an error for people.
import { AegirError } from '../../../shared/error.ts';

export function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined;
}

export async function unlessMissing<T>(act: Promise<T>): Promise<T | undefined> {
  try {
    return await act;
  } catch (thrown) {
    // A link where nobody follows one is not what was asked for either.
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(thrown) ?? '')) return undefined;
    throw thrown;
  }
}

/** doing: "put object x". where: the directory. */
export function placeFailure(thrown: unknown, doing: string, where: string): AegirError {
  if (thrown instanceof AegirError) return thrown;
  const cannot = `cannot ${doing}: ${where}`;
  const because = (code: 'failed_precondition' | 'permission_denied' | 'resource_exhausted', why: string) =>
    new AegirError(code, `${cannot} ${why}`, { cause: thrown });
  switch (errnoOf(thrown)) {
    case 'ENOSPC':
      return because('resource_exhausted', 'is full; make room there');
    case 'EDQUOT':
      return because('resource_exhausted', 'has reached its disk quota; make room there');
    case 'EROFS':
      return because('failed_precondition', 'is on a file system that is mounted read-only; mount it for writing');
    case 'EACCES':
    case 'EPERM':
      return because(
        'permission_denied',
        'may not be used by the agent; give it the right to write there (an NFS server may take root for nobody: no_root_squash)',
      );
    case 'ESTALE':
    case 'EIO':
    case 'ENOTCONN':
    case 'EHOSTDOWN':
      return because(
        'failed_precondition',
        `does not answer as a file system does (${errnoOf(thrown)}); mount it anew`,
      );
    case 'ELOOP':
    case 'ENOTDIR':
      return because('failed_precondition', 'has a link or a file where a directory of objects must be; remove it');
    case 'EISDIR':
    case 'EEXIST':
    case 'ENOTEMPTY':
      return because('failed_precondition', 'has a directory where the object must be; remove it');
    case 'ENOENT':
      return because(
        'failed_precondition',
        'does not exist; aegir service verify makes it, where it is not to be mounted',
      );
    default:
      return new AegirError('internal', `${cannot}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, {
        cause: thrown,
      });
  }
}
