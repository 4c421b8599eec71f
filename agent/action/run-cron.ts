// run-cron: the app's cron, once and now. A repeat after a crash runs it again: what the former run left was ended when the
// agent started, and an app's cron is made to be run at any time.
import { AegirError } from '../../shared/error.ts';
import { hasCron } from '../app/app.ts';
import { type ActionHandler, appFor } from './action.ts';

const MOST_LINES = 500;

export function createRunCron(): ActionHandler<'runCron'> {
  return {
    kind: 'runCron',
    label: () => 'run-cron',
    async run({ site, php }, ctx, tools) {
      const { id, name, url, platform, sharedRoot } = site;
      const app = appFor(tools, platform.app);
      if (!hasCron(app)) {
        throw new AegirError(
          'failed_precondition',
          `cannot run the cron of ${name}: a site of app ${app.name} has none`,
        );
      }
      let lines = 0;
      const bounded = {
        ...ctx,
        log: (level: 'debug' | 'info' | 'warn' | 'error', text: string) => {
          lines += 1;
          if (lines <= MOST_LINES) ctx.log(level, text);
          else if (lines === MOST_LINES + 1)
            ctx.log('warn', `it says more than ${MOST_LINES} lines: the rest is left out`);
        },
      };
      const intervalSeconds = tools.cron.get(id)?.entry.intervalSeconds ?? 3600;
      const end = await tools.cron.runNow({ id, name, url, platform, sharedRoot, php, intervalSeconds }, bounded);
      ctx.signal.throwIfAborted();
      if (end.outcome !== 'ok' && end.outcome !== 'idle') throw new AegirError('failed_precondition', end.text);
      ctx.log('info', end.text);
      return { changes: [`run the cron of ${name} (${(end.millis / 1000).toFixed(1)} s): ${end.text}`] };
    },
  };
}
