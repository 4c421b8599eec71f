// The client's side of the webhook provider protocol of external-dns, version 1.
import { domainToASCII } from 'node:url';
import { AegirError } from '../../../../shared/error.ts';
import { createJsonClient, type JsonAnswer, type JsonRequest } from '../http-json.ts';
import { type Changes, type Endpoint, endpointsIn } from './endpoint.ts';

export const MEDIA_TYPE = 'application/external.dns.webhook+json;version=1';

export interface DomainFilter {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface Provider {
  /** Throws when it speaks another version of the protocol. */
  negotiate(signal: AbortSignal): Promise<DomainFilter>;
  records(signal: AbortSignal): Promise<readonly Endpoint[]>;
  adjust(endpoints: readonly Endpoint[], signal: AbortSignal): Promise<readonly Endpoint[]>;
  apply(changes: Changes, signal: AbortSignal): Promise<void>;
}

export interface ProviderOptions {
  readonly url: string;
  readonly token: string | undefined;
  readonly withinMs?: number;
}

export function createProvider({ url, token, withinMs }: ProviderOptions): Provider {
  const ask = createJsonClient({
    url,
    what: 'the webhook provider',
    headers: { accept: MEDIA_TYPE, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    ...(withinMs === undefined ? {} : { withinMs }),
  });
  const call = async (request: JsonRequest): Promise<JsonAnswer> => {
    const sent = request.body === undefined ? {} : { headers: { 'content-type': MEDIA_TYPE } };
    const answer = await ask({ ...request, ...sent });
    if (answer.status < 200 || answer.status > 299) throw refused(answer, request.doing, url);
    return answer;
  };

  return {
    async negotiate(signal) {
      const doing = 'speak with the webhook provider';
      const answer = await call({ path: '/', doing, signal });
      const spoken = (answer.headers.get('content-type') ?? '').replace(/\s+/g, '').toLowerCase();
      if (spoken !== MEDIA_TYPE) {
        const why = `at ${url} is something that speaks ${JSON.stringify(spoken.slice(0, 100))}, not ${MEDIA_TYPE}`;
        throw new AegirError('failed_precondition', `cannot ${doing}: ${why}`);
      }
      return filterIn(answer.json());
    },
    async records(signal) {
      const doing = 'read the records of the webhook provider';
      return endpointsIn((await call({ path: '/records', doing, signal })).json(), doing);
    },
    async adjust(endpoints, signal) {
      if (endpoints.length === 0) return [];
      const doing = 'have records adjusted by the webhook provider';
      const answer = await call({ method: 'POST', path: '/adjustendpoints', body: endpoints, doing, signal });
      return endpointsIn(answer.json(), doing);
    },
    async apply(changes, signal) {
      const doing = 'change records by the webhook provider';
      await call({ method: 'POST', path: '/records', body: changes, doing, signal });
    },
  };
}

/** Regular expressions of a filter are the provider's to apply. */
function filterIn(answer: unknown): DomainFilter {
  const { include, exclude, filters } = (answer ?? {}) as Record<string, unknown>;
  const names = (list: unknown): readonly string[] =>
    Array.isArray(list) ? list.filter((each) => typeof each === 'string').map(filterName) : [];
  // "filters" is how the protocol's description has it, "include" how external-dns itself writes it.
  return { include: [...names(include), ...names(filters)], exclude: names(exclude) };
}

/** external-dns writes names as people read them; a dot at the beginning stands for what is below a name. */
function filterName(written: string): string {
  const text = written.trim().toLowerCase();
  const dot = text.startsWith('.') ? '.' : '';
  const name = text.replace(/^\.|\.$/g, '');
  return `${dot}${domainToASCII(name) || name}`;
}

/** Whether the provider has a name: it or one above is included, and none of them excluded. */
export function matches({ include, exclude }: DomainFilter, zone: string): boolean {
  const isIn = (domain: string): boolean => {
    const plain = domain.replace(/^\./, '').replace(/\.$/, '');
    return (zone === plain && !domain.startsWith('.')) || zone.endsWith(`.${plain}`);
  };
  return (include.length === 0 || include.some(isIn)) && !exclude.some(isIn);
}

function refused(answer: JsonAnswer, doing: string, url: string): AegirError {
  const where = `the webhook provider at ${url}`;
  const said = answer.text
    .replace(/[\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, 300);
  const says = `${where} says (${answer.status})${said === '' ? '' : `: ${said}`}`;
  if (answer.status === 401 || answer.status === 403) {
    return new AegirError('failed_precondition', `cannot ${doing}: ${where} does not take our token`);
  }
  // Only these may be tried again, says the protocol.
  if (answer.status >= 500) return new AegirError('unavailable', `cannot ${doing}: ${says}`);
  return new AegirError('failed_precondition', `cannot ${doing}: ${says}`);
}
