// What a command works with: output, connection made when first needed, global options.
import { createInterface, type Interface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { AegirError } from '../../shared/error.ts';
import { type Connection, createConnection } from './connection.ts';
import { chooseContext } from './context.ts';
import { formatOf, type Out } from './output.ts';

export interface GlobalOptions {
  readonly output: string;
  readonly context?: string;
}

export interface Cli {
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly out: (options: GlobalOptions) => Out;
  /** Runs work with a connection that is closed afterwards. */
  connected<T>(options: GlobalOptions, work: (connection: Connection, out: Out) => Promise<T>): Promise<T>;
  /** Asks, unless yes; without a terminal to ask at it throws. */
  confirm(question: string, yes: boolean): Promise<void>;
  /** Asks twice, without showing what is typed; without a terminal to ask at it throws. */
  askNewPassword(question: string): Promise<string>;
}

export function createCli(
  env: NodeJS.ProcessEnv,
  stdin: NodeJS.ReadStream,
  stdout: NodeJS.WriteStream,
  stderr: NodeJS.WriteStream,
): Cli {
  const out = (options: GlobalOptions): Out => ({ stdout, stderr, format: formatOf(options.output) });
  return {
    env,
    stdin,
    stdout,
    stderr,
    out,
    connected: async (options, work) => {
      const prepared = out(options);
      const connection = createConnection(chooseContext(env, options.context));
      try {
        return await work(connection, prepared);
      } finally {
        connection.close();
      }
    },
    confirm: async (question, yes) => {
      if (yes) return;
      if (!stdin.isTTY) {
        throw new AegirError(
          'invalid_argument',
          `cannot ask "${question}": there is no terminal; say --yes to go on without asking`,
        );
      }
      const ask = createInterface({ input: stdin, output: stderr });
      try {
        const answer = await answered(ask, stderr, `${question} [y/N] `);
        if (!/^y(es)?$/i.test(answer.trim())) throw new AegirError('cancelled', 'nothing was done');
      } finally {
        ask.close();
      }
    },
    askNewPassword: async (question) => {
      if (!stdin.isTTY) {
        throw new AegirError(
          'invalid_argument',
          `cannot ask "${question}": there is no terminal; give it by --auth-password-file FILE (- for standard input)`,
        );
      }
      const [first = '', second] = await askHidden(stdin, stderr, [`${question}: `, 'Again: ']);
      if (first === second) return first;
      throw new AegirError('invalid_argument', 'cannot use that password: the two are not the same');
    },
  };
}

/** Answers to questions in turn. The terminal shows nothing of them from before the first one is asked. */
async function askHidden(
  stdin: NodeJS.ReadStream,
  stderr: NodeJS.WriteStream,
  questions: readonly string[],
): Promise<readonly string[]> {
  // What is typed is echoed to its output.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const ask = createInterface({ input: stdin, output: nowhere, terminal: true });
  const answers: string[] = [];
  try {
    for (const question of questions) {
      stderr.write(question);
      answers.push(await answered(ask, stderr, ''));
      stderr.write('\n');
    }
    return answers;
  } finally {
    ask.close();
  }
}

/** Ends as cancelled at Ctrl-C, and when the terminal goes. */
async function answered(ask: Interface, stderr: NodeJS.WriteStream, question: string): Promise<string> {
  const stop = new AbortController();
  const abort = () => stop.abort();
  for (const event of ['SIGINT', 'close'] as const) ask.once(event, abort);
  try {
    return await ask.question(question, { signal: stop.signal });
  } catch (cause) {
    stderr.write('\n');
    throw new AegirError('cancelled', 'nothing was done', { cause });
  } finally {
    for (const event of ['SIGINT', 'close'] as const) ask.off(event, abort);
  }
}
