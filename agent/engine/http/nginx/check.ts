// What a verify of the server says of its nginx: whether it runs, its configuration is sound, it answers, and serves
// with the configuration that is on disk.
import { join } from 'node:path';
import type { Finding } from '../../../../shared/gen/aegir/v1/agent.ts';
import type { ActionContext } from '../../engine.ts';
import { where } from '../config/complaint.ts';
import type { ConfigSet } from '../config/config-set.ts';
import { makeBase, parseManifest } from '../config/manifest.ts';
import { createNginxSet } from './nginx-set.ts';

export async function checkNginx(ctx: ActionContext): Promise<readonly Finding[]> {
  const daemon = await ctx.host.daemon('nginx');
  if (daemon === undefined) {
    const text = 'no nginx that the agent drives; install it (Debian: apt install nginx-light)';
    return [{ subject: 'service:nginx', level: 'error', text }];
  }
  const set = await createNginxSet(ctx.host, daemon, ctx);
  return [await checkConfiguration(set, ctx), await checkRunning(set)];
}

async function checkConfiguration(set: ConfigSet, ctx: ActionContext): Promise<Finding> {
  const subject = 'configuration:nginx';
  const { complaint, warnings } = await set.test(ctx);
  if (complaint !== undefined) {
    const text = `broken: ${where(complaint)}; correct it, or nginx will not start again and no site here can be changed`;
    return { subject, level: 'error', text };
  }
  if (warnings.length === 0) return { subject, level: 'ok', text: 'sound' };
  const [first = '', ...more] = warnings;
  const text = `nginx warns: ${first}${more.length === 0 ? '' : ` (and ${more.length} more: see nginx -t)`}`;
  return { subject, level: 'warning', text };
}

async function checkRunning(set: ConfigSet): Promise<Finding> {
  const subject = 'service:nginx';
  const { daemon, host } = set;
  if (!(await daemon.isRunning())) {
    return { subject, level: 'error', text: 'it does not run: start it, or verify one of its sites' };
  }
  const base = await host.files.read(join(daemon.includeDir, set.baseFile));
  if (base === undefined) {
    return { subject, level: 'warning', text: 'it runs and is not prepared for sites yet: prepare the service' };
  }
  const loaded = await set.loadedGeneration();
  if (loaded === undefined) {
    const text =
      `it runs but does not answer for Aegir on port ${daemon.port}: look whether it includes ` +
      `${daemon.includeDir}/*.conf, and what else listens there`;
    return { subject, level: 'error', text };
  }
  if (loaded !== makeBase(parseManifest(base), set.renderBase).generation) {
    const text = 'it serves with an older configuration than the one on disk: prepare the service to reload it';
    return { subject, level: 'warning', text };
  }
  return { subject, level: 'ok', text: `it runs and answers on port ${daemon.port} with the configuration on disk` };
}
