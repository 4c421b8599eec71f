// The context `up` of the command line: leads to the fleet that was started last, and says so when it led to another.
import { type Context, contextsPath, readContexts, writeContexts } from '../../master/cli/context.ts';

const NAME = 'up';

/**
 * `npm run aegir` then talks to this master; a context that somebody chose stays the current one. Answers what there is to
 * say: that the context led to another fleet, undefined when it did not. May be repeated.
 */
export function rememberContext(env: NodeJS.ProcessEnv, context: Context, dir: string): string | undefined {
  const path = contextsPath(env);
  const known = readContexts(path);
  const before = known.contexts[NAME];
  const current = known.contexts[known.current] === undefined ? NAME : known.current;
  writeContexts(path, { current, contexts: { ...known.contexts, [NAME]: context } });
  if (before === undefined || (before.address === context.address && before.ca === context.ca)) return undefined;
  const other = before.address === context.address ? 'another master there' : `that at ${before.address}`;
  return `context ${NAME} leads to the master of ${dir} at ${context.address} now; it led to ${other}`;
}
