// The join command: reads the token without showing it to other users, then enrols. What installs the agent as a
// service stands beside enrol here: after it, and only when asked for.
import { readFileSync } from 'node:fs';
import { AegirError } from '../shared/error.ts';
import type { AgentConfig } from './config.ts';
import { enrol } from './enrol.ts';
import { identityOf, ownFiles } from './host-of.ts';
import { createIdentityStore } from './identity.ts';
import { factsOf } from './inventory.ts';
import { AGENT_VERSION } from './version.ts';

export interface JoinArguments {
  readonly master: string;
  readonly caPin: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly name?: string;
  readonly again?: boolean;
}

const TOKEN_VARIABLE = 'AEGIR_JOIN_TOKEN';

/** Answers a line for the person. */
export async function join(args: JoinArguments, config: AgentConfig, env: NodeJS.ProcessEnv): Promise<string> {
  const token = readToken(args, env);
  const store = createIdentityStore(ownFiles(), config.stateDir);
  const identity = await enrol({
    master: args.master,
    token,
    caPin: args.caPin,
    ...(args.name === undefined ? {} : { name: args.name }),
    facts: factsOf(await identityOf(config), config.host.kind, AGENT_VERSION),
    store,
    again: args.again === true,
    now: Date.now,
  });
  return `Joined as ${identity.name} (${identity.serverId}). Its identity is in ${store.path}.`;
}

function readToken({ token, tokenFile }: JoinArguments, env: NodeJS.ProcessEnv): string {
  if (tokenFile !== undefined) {
    try {
      return readFileSync(tokenFile === '-' ? 0 : tokenFile, 'utf8').trim();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new AegirError('invalid_argument', `cannot read the join token: ${why}`, { cause });
    }
  }
  const found = token ?? env[TOKEN_VARIABLE];
  if (found !== undefined && found !== '') return found;
  throw new AegirError(
    'invalid_argument',
    `cannot join: there is no join token; give it in ${TOKEN_VARIABLE}, by --token-file FILE or by --token`,
  );
}
