// What `aegir site set` takes, and `aegir site show` tells, of who may see a site and of its snippet. Passwords come from
// the terminal or a file: arguments are seen by others.
import type { Command } from 'commander';
import { AegirError } from '../../../shared/error.ts';
import type { SetSiteRequest, Site } from '../../../shared/gen/aegir/v1/admin.ts';
import type { Column } from '../output.ts';
import type { Cli } from '../session.ts';
import { secretsOf } from '../settings.ts';

export interface AccessFlags {
  readonly authUser?: readonly string[];
  readonly authPasswordFile?: string;
  readonly removeAuthUser?: readonly string[];
  readonly authRealm?: string;
  /** false after --no-auth. */
  readonly auth: boolean;
  /** false after --no-web-snippet. */
  readonly webSnippet?: string | false;
}

export type AccessPart = Pick<
  SetSiteRequest,
  'authUsers' | 'removeAuthUsers' | 'authRealm' | 'openToAll' | 'webSnippet'
>;

export function withAccessFlags(command: Command): Command {
  return command
    .option('--auth-user <names...>', 'only who has the password may see it; asks for the password of each')
    .option('--auth-password-file <file>', 'their passwords, a line for each, in order; - for standard input')
    .option('--remove-auth-user <names...>', 'users to take away')
    .option('--auth-realm <text>', 'what browsers show when they ask; "" for the default')
    .option('--no-auth', 'everybody may see it again')
    .option('--web-snippet <file>', "lines for its virtual host in the web server's own words (administrators only)")
    .option('--no-web-snippet', 'without them');
}

export async function accessPart(cli: Cli, flags: AccessFlags): Promise<AccessPart> {
  const { webSnippet } = flags;
  return {
    authUsers: await users(cli, flags),
    removeAuthUsers: [...(flags.removeAuthUser ?? [])],
    authRealm: flags.authRealm,
    openToAll: !flags.auth,
    webSnippet: webSnippet === undefined ? undefined : webSnippet === false ? '' : snippet(webSnippet),
  };
}

/** An empty one would take away the one that is there. */
function snippet(file: string): string {
  const text = secretsOf([`snippet=${file}`])['snippet'] ?? '';
  if (text.trim() !== '') return text;
  throw new AegirError(
    'invalid_argument',
    `cannot use ${file} as snippet: it is empty; to take the snippet away: --no-web-snippet`,
  );
}

async function users(cli: Cli, flags: AccessFlags): Promise<SetSiteRequest['authUsers']> {
  const names = flags.authUser ?? [];
  const file = flags.authPasswordFile;
  if (file === undefined) {
    const asked: SetSiteRequest['authUsers'] = [];
    for (const name of names) asked.push({ name, password: await cli.askNewPassword(`Password of ${name}`) });
    return asked;
  }
  const passwords = (secretsOf([`passwords=${file}`])['passwords'] ?? '').split(/\r?\n/);
  if (names.length === passwords.length) return names.map((name, at) => ({ name, password: passwords[at] ?? '' }));
  throw new AegirError(
    'invalid_argument',
    names.length === 0
      ? 'cannot use --auth-password-file alone: say whose passwords they are by --auth-user NAME'
      : `cannot use ${file}: it has ${passwords.length} lines, and ${names.length} users are named; one line for each is needed`,
  );
}

export const ACCESS_DETAILS: readonly Column<Site>[] = [
  {
    title: 'Password',
    value: ({ auth }) => (auth === undefined ? '' : `for ${auth.users.join(', ')} (${auth.realm})`),
  },
  {
    title: 'Snippet',
    value: ({ snippet }) =>
      snippet === undefined
        ? ''
        : `for ${snippet.engine}: ${
            snippet.text === ''
              ? `${snippet.bytes} bytes, shown to administrators`
              : snippet.text.trimEnd().split('\n').join('\n  ')
          }`,
  },
];
