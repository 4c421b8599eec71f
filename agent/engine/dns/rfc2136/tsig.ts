// A name server with the TSIG key that proves us to it (RFC 8945), as Debian's dig and nsupdate take them: on standard
// input, never among the arguments. Pure.
import { AegirError, toAegirError } from '../../../../shared/error.ts';
import { noTools } from './tools.ts';

export interface TsigKey {
  readonly name: string;
  readonly algorithm: string;
  /** Base64. */
  readonly secret: string;
}

export interface NameServer {
  readonly host: string;
  readonly port: number;
  readonly key: TsigKey | undefined;
}

export const ALGORITHMS = [
  'hmac-sha256',
  'hmac-sha512',
  'hmac-sha384',
  'hmac-sha224',
  'hmac-sha1',
  'hmac-md5',
] as const;

export function isKeyName(text: string): boolean {
  return /^(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?$/.test(text);
}

export function isBase64(text: string): boolean {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) && text.length >= 8;
}

export function nameOf({ host, port }: NameServer): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What name servers and tools say of a key that does not fit; undefined when it is not about the key. */
export function keyFault(said: string): string | undefined {
  if (/BADKEY/.test(said)) return 'it does not know the key, or knows it with another algorithm';
  if (/BADSIG/.test(said)) return 'the secret of the key is not the one that it has';
  if (/BADTIME|clocks are unsynchronized/.test(said)) return 'its clock and ours differ by more than five minutes';
  if (/BADTRUNC|too short to be secure/.test(said)) return 'it does not accept signatures as short as these';
  return undefined;
}

/** For what a tool says when nobody answers. */
export function noAnswer(server: NameServer, doing: string, said: string): AegirError | undefined {
  const where = `name server ${nameOf(server)}`;
  if (/timed out|deadline|did not end within/i.test(said)) {
    return new AegirError('unavailable', `cannot ${doing}: ${where} did not answer in time`);
  }
  if (
    /refused\.?$|connection refused|unreachable|no servers could be reached|not resolve|couldn't get address/im.test(
      said,
    )
  ) {
    return new AegirError('unavailable', `cannot ${doing}: there is no answer from ${where}`);
  }
  return undefined;
}

/** For what running a tool threw. That there is no such tool says nothing of zones, of which not_found would speak. */
export function ofTool(thrown: unknown, server: NameServer, doing: string): AegirError {
  const error = toAegirError(thrown, doing);
  if (error.code === 'deadline_exceeded') return noAnswer(server, doing, 'timed out') ?? error;
  if (error.code !== 'not_found') return error;
  return noTools(doing, error);
}
