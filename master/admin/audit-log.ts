// Reading the audit log: newest first, all of it or what was denied.
import { AegirError } from '../../shared/error.ts';
import type { ListAuditRequest, ListAuditResponse } from '../../shared/gen/aegir/v1/admin.ts';
import type { AuditRecord } from '../store/model.ts';
import type { AdminDeps } from './deps.ts';
import { decodePageToken, encodePageToken, pageSize } from './page.ts';

const READ = 1000;
/** Rows that one call looks through for those that were denied; the next page goes on there. */
const MOST_READ = 20_000;
const DENIED = new Set(['unauthenticated', 'permission_denied', 'resource_exhausted']);

export async function listAudit(deps: AdminDeps, request: ListAuditRequest): Promise<ListAuditResponse> {
  const size = pageSize(request);
  let before = request.pageToken === '' ? undefined : seqOf(request.pageToken);
  const records: AuditRecord[] = [];
  for (let read = 0; read < MOST_READ; ) {
    const rows = await deps.store.audit.list(before, request.denied ? READ : size);
    read += rows.length;
    for (const row of rows) {
      before = row.seq;
      if (!request.denied || DENIED.has(row.outcome)) records.push(row);
      if (records.length === size) return answer(records, before);
    }
    if (rows.length < (request.denied ? READ : size)) return answer(records, undefined);
  }
  return answer(records, before);
}

function answer(records: readonly AuditRecord[], before: number | undefined): ListAuditResponse {
  return {
    records: records.map(({ seq, time, ...rest }) => ({ ...rest, seq: BigInt(seq), time: new Date(time) })),
    nextPageToken: before === undefined ? '' : encodePageToken(String(before)),
  };
}

function seqOf(token: string): number {
  const text = decodePageToken(token);
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new AegirError('invalid_argument', 'cannot use that page_token: it is not one that a list gave');
}
