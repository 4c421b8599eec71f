// Pages of lists: size and token from a request, the next token for the answer.
import { AegirError } from '../../shared/error.ts';

const DEFAULT_SIZE = 200;
const MAX_SIZE = 1000;

export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

export function pageSize(request: PageRequest): number {
  if (request.pageSize > MAX_SIZE) {
    throw new AegirError(
      'invalid_argument',
      `cannot list ${request.pageSize} at once: page_size may be 1 to ${MAX_SIZE}`,
    );
  }
  return request.pageSize === 0 ? DEFAULT_SIZE : request.pageSize;
}

/** Sorts by key (which must be unique) and cuts the page after the token's key. */
export function pageOf<T>(items: readonly T[], key: (item: T) => string, request: PageRequest): Page<T> {
  const size = pageSize(request);
  const after = request.pageToken === '' ? undefined : decodePageToken(request.pageToken);
  const sorted = items
    .map((item) => ({ item, key: key(item) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .filter((entry) => after === undefined || entry.key > after);
  const page = sorted.slice(0, size);
  const last = page.at(-1);
  return {
    items: page.map((entry) => entry.item),
    nextPageToken: last !== undefined && sorted.length > size ? encodePageToken(last.key) : '',
  };
}

export function encodePageToken(key: string): string {
  return Buffer.from(key).toString('base64url');
}

export function decodePageToken(token: string): string {
  if (token.length > 2000 || !/^[A-Za-z0-9_-]*$/.test(token)) {
    throw new AegirError('invalid_argument', 'cannot use that page_token: it is not one that a list gave');
  }
  return Buffer.from(token, 'base64url').toString();
}
