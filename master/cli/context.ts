// Contexts: which master to talk to, and as whom. Kept in $XDG_CONFIG_HOME/aegir/contexts.json, 0600.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import { readNamed } from './read-file.ts';

export interface Context {
  /** host:port of the Admin API. */
  readonly address: string;
  /** Certificate authority of the master, PEM. */
  readonly ca: string;
  /** API token. Secret. */
  readonly token: string;
}

export interface Contexts {
  readonly current: string;
  readonly contexts: Readonly<Record<string, Context>>;
}

const NONE: Contexts = { current: '', contexts: {} };

export function contextsPath(env: NodeJS.ProcessEnv): string {
  const base = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
  return join(base, 'aegir', 'contexts.json');
}

export function readContexts(path: string): Contexts {
  if (!existsSync(path)) return NONE;
  try {
    const read = JSON.parse(readFileSync(path, 'utf8')) as Partial<Contexts>;
    return { current: read.current ?? '', contexts: read.contexts ?? {} };
  } catch (cause) {
    throw new AegirError('failed_precondition', `cannot read contexts from ${path}: it is no JSON; mend or remove it`, {
      cause,
    });
  }
}

export function writeContexts(path: string, contexts: Contexts): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${process.pid}.tmp`;
  writeFileSync(fresh, `${JSON.stringify(contexts, null, 2)}\n`, { mode: 0o600 });
  chmodSync(fresh, 0o600);
  renameSync(fresh, path);
}

/**
 * The context to use: --context, else AEGIR_ADDRESS with AEGIR_CA (path) and AEGIR_TOKEN or AEGIR_TOKEN_FILE, else
 * AEGIR_CONTEXT, else the current one.
 */
export function chooseContext(env: NodeJS.ProcessEnv, name: string | undefined): Context {
  const address = env['AEGIR_ADDRESS'];
  if (name === undefined && address) {
    const tokenFile = env['AEGIR_TOKEN_FILE'];
    const token = env['AEGIR_TOKEN'] ?? (tokenFile ? readNamed(tokenFile, 'the API token').trim() : '');
    const caPath = env['AEGIR_CA'];
    if (!caPath || token === '') {
      throw new AegirError(
        'failed_precondition',
        'cannot use AEGIR_ADDRESS alone: set AEGIR_CA to the path of the CA certificate and AEGIR_TOKEN_FILE to that of the token too',
      );
    }
    return { address, ca: readNamed(caPath, 'the CA certificate'), token };
  }
  const path = contextsPath(env);
  const known = readContexts(path);
  const wanted = name ?? (env['AEGIR_CONTEXT'] || known.current);
  const context = known.contexts[wanted];
  if (context !== undefined) return context;
  const names = Object.keys(known.contexts).join(', ');
  throw new AegirError(
    'failed_precondition',
    names === ''
      ? 'cannot choose a master: no context is known; make one with: aegir context add NAME --address HOST:PORT --ca FILE --token-file FILE'
      : `cannot use context ${JSON.stringify(wanted)}: known are ${names}; choose with: aegir context use NAME`,
  );
}
