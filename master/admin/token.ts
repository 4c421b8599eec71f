// Tokens: join tokens for hosts, API tokens for people and programs. Values are shown once and kept as hashes.
import { AegirError } from '../../shared/error.ts';
import type {
  CreateTokenRequest,
  CreateTokenResponse,
  ListTokensRequest,
  ListTokensResponse,
  RevokeTokenRequest,
  Token,
} from '../../shared/gen/aegir/v1/admin.ts';
import { freeText } from '../../shared/name.ts';
import { isRole, isServiceType, SERVICE_TYPES, type ServiceType } from '../../shared/vocabulary.ts';
import type { TokenRecord } from '../store/model.ts';
import type { AdminDeps } from './deps.ts';
import { pageOf } from './page.ts';
import { tokenView } from './view.ts';

const HOUR_SECONDS = 3600n;
const MAX_JOIN_SECONDS = 30n * 24n * HOUR_SECONDS;
const MAX_API_SECONDS = 3650n * 24n * HOUR_SECONDS;
const MAX_USES = 10_000;

export async function listTokens(deps: AdminDeps, request: ListTokensRequest): Promise<ListTokensResponse> {
  // Ids sort by time; reversed, the newest comes first.
  const newestFirst = (token: TokenRecord) =>
    [...token.id].map((c) => String.fromCharCode(255 - c.charCodeAt(0))).join('');
  const page = pageOf(await deps.store.tokens.find(), newestFirst, request);
  return { tokens: page.items.map((token) => tokenView(token, deps.now())), nextPageToken: page.nextPageToken };
}

export async function createToken(deps: AdminDeps, request: CreateTokenRequest): Promise<CreateTokenResponse> {
  const { kind } = request;
  if (kind !== 'join' && kind !== 'api') {
    throw new AegirError(
      'invalid_argument',
      `cannot create a token of kind ${JSON.stringify(kind)}: join or api is needed`,
    );
  }
  if (kind === 'api' && !isRole(request.role)) {
    throw new AegirError('invalid_argument', 'cannot create an api token: its role must be viewer, operator or admin');
  }
  if (request.uses > MAX_USES) {
    throw new AegirError(
      'invalid_argument',
      `cannot create a join token for ${request.uses} servers: ${MAX_USES} is the most`,
    );
  }
  const most = kind === 'join' ? MAX_JOIN_SECONDS : MAX_API_SECONDS;
  if (request.ttlSeconds > most) {
    throw new AegirError(
      'invalid_argument',
      `cannot create a token that lives ${request.ttlSeconds} s: ${most} s is the most`,
    );
  }
  const seconds = request.ttlSeconds === 0n && kind === 'join' ? HOUR_SECONDS : request.ttlSeconds;
  const now = deps.now();
  const { value, hash } = deps.newToken(kind);
  const record: TokenRecord = {
    id: deps.newId('tok'),
    kind,
    hash,
    description: freeText(request.description, 'description', 200),
    role: kind === 'api' && isRole(request.role) ? request.role : '',
    usesLeft: kind === 'join' ? request.uses || 1 : 0,
    expiresAt: seconds === 0n ? null : now + Number(seconds) * 1000,
    createdAt: now,
    revokedAt: null,
    autoAccept: kind === 'join' && request.autoAccept,
    autoEnable: kind === 'join' ? serviceTypes(request.autoEnable) : [],
  };
  await deps.store.tokens.insert(record);
  return { token: tokenView(record, now), value };
}

/** Repeatable. */
export async function revokeToken(deps: AdminDeps, request: RevokeTokenRequest): Promise<Token> {
  return deps.store.transaction(async (tx) => {
    const token = await tx.tokens.get(request.tokenId);
    if (token === undefined) {
      throw new AegirError(
        'not_found',
        `cannot revoke token ${JSON.stringify(request.tokenId)}: there is none; see: aegir token list`,
      );
    }
    const revokedAt = token.revokedAt ?? deps.now();
    await tx.tokens.update(token.id, { revokedAt });
    return tokenView({ ...token, revokedAt }, deps.now());
  });
}

export function serviceTypes(words: readonly string[]): ServiceType[] {
  return [...new Set(words)].map((word) => {
    if (isServiceType(word)) return word;
    throw new AegirError(
      'invalid_argument',
      `cannot use ${JSON.stringify(word)} as service type: there are ${SERVICE_TYPES.join(', ')}`,
    );
  });
}
