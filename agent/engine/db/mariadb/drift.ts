// What of an account is not as it should be: pure, from what the server tells about it.
import { nativeHash, wantedGrants } from './sql.ts';

/** Of mysql.global_priv's JSON (MariaDB manual, "mysql.global_priv Table"). */
interface Properties {
  readonly plugin?: unknown;
  readonly authentication_string?: unknown;
  /** All the ways to log in; the empty one stands for plugin above. */
  readonly auth_or?: readonly Readonly<Record<string, unknown>>[];
  readonly ssl_type?: unknown;
  readonly account_locked?: unknown;
  /** Days; 0 for never, -1 or absent for the server's default. */
  readonly password_lifetime?: unknown;
  /** 0 when somebody declared the password expired. */
  readonly password_last_changed?: unknown;
}

const LIMITS = ['max_questions', 'max_updates', 'max_connections', 'max_user_connections', 'max_statement_time'];

/** Reasons to set the account anew, in words; empty when it is as wanted. */
export function accountDrift(json: string, password: string, locked: boolean): readonly string[] {
  const found = parsed<Properties>(json);
  if (found === undefined) return ['its properties could not be read'];
  const { plugin, auth_or: ways, ...rest } = found;
  const cases: readonly [boolean, string][] = [
    [plugin !== 'mysql_native_password', 'it logged in by other means'],
    [plugin === 'mysql_native_password' && rest.authentication_string !== nativeHash(password), 'it was another one'],
    [ways !== undefined && !(Array.isArray(ways) && ways.every(isEmpty)), 'there was another way to log in'],
    [Number(rest.ssl_type ?? 0) !== 0, 'TLS was demanded'],
    [hasLimits(rest), 'it had limits'],
    [rest.account_locked === true && !locked, 'it was locked'],
    [rest.account_locked !== true && locked, 'it was not locked'],
    [rest.password_last_changed === 0, 'it was expired'],
    [rest.password_lifetime !== 0, 'it would expire'],
  ];
  return cases.flatMap(([drifted, why]) => (drifted ? [why] : []));
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}

/** What both servers call their limits of an account. */
export function hasLimits(found: object): boolean {
  return LIMITS.some((limit) => Number((found as Record<string, unknown>)[limit] ?? 0) !== 0);
}

export function parsed<T extends object>(json: string): T | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? (value as T) : undefined;
  } catch {
    // Not a secret lost: the account is made anew from what is wanted.
    return undefined;
  }
}

export interface GrantDrift {
  readonly missing: boolean;
  readonly extra: boolean;
}

/** From the lines of SHOW GRANTS. */
export function grantDrift(lines: readonly string[], database: string, user: string, host: string): GrantDrift {
  const have = lines.map(rightsOnly);
  const want = wantedGrants(database, user, host);
  return {
    missing: want.some((line) => !have.includes(line)),
    extra: have.some((line) => !want.includes(line)),
  };
}

/** Without how the account logs in and its limits, which accountDrift judges; the right to pass rights on stands behind them. */
function rightsOnly(line: string): string {
  return line.replace(/ IDENTIFIED (?:BY PASSWORD|VIA) .*$/, (rest) =>
    / GRANT OPTION\b/.test(rest) ? ' WITH GRANT OPTION' : '',
  );
}
