// Values of tokens. They hold 256 random bits, so a plain SHA-256 is all that has to be kept of them.
import { randomBytes } from 'node:crypto';
import { sha256Hex } from '../../shared/digest.ts';

export interface NewToken {
  /** Secret; shown once. */
  readonly value: string;
  /** What the store keeps. */
  readonly hash: string;
}

export type TokenKind = 'join' | 'api';

const FORM = /^aegir-(join|api)-[A-Za-z0-9_-]{43}$/;

export function newToken(kind: TokenKind): NewToken {
  return tokenOf(kind, randomBytes(32));
}

export function tokenOf(kind: TokenKind, random: Uint8Array): NewToken {
  const value = `aegir-${kind}-${Buffer.from(random).toString('base64url')}`;
  return { value, hash: tokenHash(value) };
}

export function tokenHash(value: string): string {
  return sha256Hex(value);
}

/** The kind that a value claims; undefined for what can't be a token. */
export function tokenKind(value: string): TokenKind | undefined {
  return FORM.exec(value)?.[1] as TokenKind | undefined;
}
