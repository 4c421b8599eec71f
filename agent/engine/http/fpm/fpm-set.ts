// PHP-FPM of one version as a set of configuration files: how it is tested, and how it tells what it has loaded.
import { join } from 'node:path';
import type { Daemon, Host } from '../../../host/host.ts';
import type { ActionContext } from '../../engine.ts';
import type { ConfigSet } from '../config/config-set.ts';
import { readFpmTest } from './complaint.ts';
import { pingPool } from './ping.ts';
import { renderFpmBase, setsControlTimeout } from './render.ts';

const BASE_FILE = 'aegir-00-base.conf';
const PING_MS = 3_000;

export async function createFpmSet(
  host: Host,
  daemon: Daemon,
  version: string,
  ctx: ActionContext,
): Promise<ConfigSet> {
  const current = await host.files.read(join(daemon.includeDir, BASE_FILE));
  const ours = current === undefined ? await leavesControlTimeout(host, daemon, ctx) : setsControlTimeout(current);
  const base = {
    socket: join(host.paths.run, `php-fpm-${version}.sock`),
    user: host.kind === 'systemd' ? 'nobody' : undefined,
    setsControlTimeout: ours,
  };
  return {
    host,
    daemon,
    label: `PHP-FPM ${version}`,
    baseFile: BASE_FILE,
    renderBase: (manifest, generation) => renderFpmBase(base, manifest, generation),
    async test(testCtx) {
      const argv = [daemon.program, ...daemon.configArguments, '-t'] as const;
      const { code, stdout, stderr } = await host.run({ argv, signal: testCtx.signal });
      return readFpmTest(code, `${stderr}\n${stdout}`);
    },
    isEndedByBase: ({ message }) => message.startsWith('No pool defined'),
    loadedGeneration: () => pingPool(base.socket, '/generation', PING_MS),
  };
}

/** True when nobody has set process_control_timeout: its default kills running requests at every reload. */
async function leavesControlTimeout(host: Host, daemon: Daemon, ctx: ActionContext): Promise<boolean> {
  const argv = [daemon.program, ...daemon.configArguments, '-tt'] as const;
  let set: string | undefined;
  const onLine = (_stream: string, line: string): void => {
    set ??= /process_control_timeout = (\d+)/.exec(line)?.[1];
  };
  // It prints every pool with its environment, secrets too: read line by line and not kept.
  await host.run({ argv, onLine, maxOutput: 1024, signal: ctx.signal });
  // Without any pool it tells nothing, and serves nobody who could have set it.
  return set === undefined || set === '0';
}
