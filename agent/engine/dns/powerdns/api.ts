// The HTTP API of the PowerDNS authoritative server (version 4.2 and later): zones and their sets of records.
import { AegirError } from '../../../../shared/error.ts';
import { createJsonClient, type JsonAnswer, type JsonRequest } from '../http-json.ts';
import { type Contents, contentsOf, type Edit, mergeEdits, type RecordRead, sameData } from '../rrset.ts';
import { CHANGED } from '../zone-transport.ts';

const SERVER = '/api/v1/servers/localhost';
const DEFAULT_TTL = 3600;

export interface PdnsZone {
  readonly account: string;
  readonly dnssec: boolean;
  readonly contents: Contents;
}

export interface PdnsZoneSettings {
  readonly kind: string;
  readonly account: string;
  readonly dnssec: boolean;
}

export interface PdnsApi {
  zones(signal: AbortSignal): Promise<readonly string[]>;
  /** undefined when there is none. */
  zone(name: string, doing: string, signal: AbortSignal): Promise<PdnsZone | undefined>;
  make(name: string, settings: PdnsZoneSettings, edits: readonly Edit[], signal: AbortSignal): Promise<void>;
  sign(name: string, on: boolean, signal: AbortSignal): Promise<void>;
  /** All or none. Throws aborted where a set is not what the edit expects; of an SOA, no serial is expected. */
  patch(name: string, edits: readonly Edit[], signal: AbortSignal): Promise<void>;
  remove(name: string, signal: AbortSignal): Promise<void>;
}

interface ApiSet {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly records: readonly { readonly content: string; readonly disabled: boolean }[];
}
interface ApiZone {
  readonly name: string;
  readonly account?: string;
  readonly dnssec: boolean;
  readonly kind: string;
  readonly rrsets?: readonly ApiSet[];
}

export function createPdnsApi(options: {
  readonly url: string;
  readonly key: string;
  readonly withinMs?: number;
}): PdnsApi {
  const ask = createJsonClient({ ...options, what: 'PowerDNS', headers: { 'X-API-Key': options.key } });

  const call = async (request: JsonRequest, ...expected: readonly number[]): Promise<JsonAnswer> => {
    const answer = await ask(request);
    if (!expected.includes(answer.status)) throw refused(answer, request.doing, options.url);
    return answer;
  };
  const pathOf = (name: string): string => `${SERVER}/zones/${encodeURIComponent(`${name}.`)}`;

  const setOf = async (zone: string, edit: Edit, doing: string, signal: AbortSignal) => {
    const query = new URLSearchParams({ rrset_name: `${edit.name}.`, rrset_type: edit.type });
    const answer = await call({ path: `${pathOf(zone)}?${query}`, doing, signal }, 200);
    return contentsOf(recordsOf(answer.json() as ApiZone)).get(edit.name, edit.type);
  };

  return {
    async zones(signal) {
      const answer = await call({ path: `${SERVER}/zones`, doing: 'list the zones', signal }, 200);
      const own = (answer.json() as readonly ApiZone[]).filter(
        ({ kind }) => !/^(slave|secondary|consumer)$/i.test(kind),
      );
      return own.map(({ name }) => name.replace(/\.$/, ''));
    },
    async zone(name, doing, signal) {
      const answer = await call({ path: pathOf(name), doing, signal }, 200, 404);
      if (answer.status === 404) {
        // So does anything else that is not PowerDNS answer: it must be one to say that there is no such zone.
        await call({ path: SERVER, doing, signal }, 200);
        return undefined;
      }
      const found = answer.json() as ApiZone;
      return { account: found.account ?? '', dnssec: found.dnssec, contents: contentsOf(recordsOf(found)) };
    },
    async make(name, settings, edits, signal) {
      const body = {
        ...settings,
        name: `${name}.`,
        // Each change by the API raises the serial.
        soa_edit_api: 'INCREASE',
        api_rectify: true,
        nameservers: [],
        rrsets: edits.map(({ name: at, type, after }) => ({
          name: `${at}.`,
          type,
          ttl: after?.ttl ?? DEFAULT_TTL,
          records: (after?.data ?? []).map((content) => ({ content, disabled: false })),
        })),
      };
      const doing = `make zone ${name}`;
      await call({ method: 'POST', path: `${SERVER}/zones`, body, doing, signal }, 201);
      // Whoever asked for it before was told that it is not here, and would be told so again for a while.
      const domain = new URLSearchParams({ domain: `${name}.` });
      await call({ method: 'PUT', path: `${SERVER}/cache/flush?${domain}`, doing, signal }, 200);
    },
    async sign(name, on, signal) {
      const doing = `${on ? 'sign' : 'stop signing'} zone ${name}`;
      await call(
        { method: 'PUT', path: pathOf(name), body: { dnssec: on, api_rectify: true }, doing, signal },
        200,
        204,
      );
    },
    async patch(name, edits, signal) {
      const doing = `change zone ${name}`;
      const merged = mergeEdits(edits);
      for (const edit of merged.filter(({ type }) => type !== 'SOA')) {
        if (sameData(await setOf(name, edit, doing, signal), edit.before)) continue;
        throw new AegirError('aborted', `cannot ${doing}: ${CHANGED}`);
      }
      // What goes makes room for what comes.
      const rrsets = [...merged.filter(({ after }) => !after), ...merged.filter(({ after }) => after)].map(patchOf);
      await call({ method: 'PATCH', path: pathOf(name), body: { rrsets }, doing, signal }, 204);
    },
    async remove(name, signal) {
      await call({ method: 'DELETE', path: pathOf(name), doing: `remove zone ${name}`, signal }, 204, 404);
    },
  };
}

function patchOf({ name, type, after }: Edit) {
  if (after === undefined) return { name: `${name}.`, type, changetype: 'DELETE' };
  const records = after.data.map((content) => ({ content, disabled: false }));
  return { name: `${name}.`, type, ttl: after.ttl ?? DEFAULT_TTL, changetype: 'REPLACE', records };
}

/** A record that is there and not served is no data that anybody could want. */
function recordsOf(zone: ApiZone): readonly RecordRead[] {
  return (zone.rrsets ?? []).flatMap(({ name, type, ttl, records }) =>
    records.map(({ content, disabled }) => ({ name, type, ttl, data: disabled ? `${content} (disabled)` : content })),
  );
}

function refused(answer: JsonAnswer, doing: string, url: string): AegirError {
  const where = `PowerDNS at ${url}`;
  if (answer.status === 401 || answer.status === 403) {
    return new AegirError('failed_precondition', `cannot ${doing}: ${where} does not take our API key`);
  }
  if (answer.status >= 500) {
    return new AegirError('unavailable', `cannot ${doing}: ${where} failed at it (${answer.status}): ${said(answer)}`);
  }
  if (answer.status === 404) {
    const why = `what is at ${url} knows nothing of that; is it the API of an authoritative PowerDNS?`;
    return new AegirError('failed_precondition', `cannot ${doing}: ${why}`);
  }
  return new AegirError('failed_precondition', `cannot ${doing}: ${where} says (${answer.status}): ${said(answer)}`);
}

function said({ text }: JsonAnswer): string {
  const error = /"error"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text;
  return error.replace(/[\p{Cc}]+/gu, ' ').slice(0, 300);
}
