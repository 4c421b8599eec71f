// The platform and the site that `up` makes: Debian's WordPress, served as demo.localhost.
import {
  type ChangeResponse,
  PlatformServiceService,
  SiteServiceService,
  TaskServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import type { Fleet } from './fleet.ts';

export interface FirstSite {
  readonly name: string;
  readonly url: string;
  /** Empty when the site was there already. */
  readonly loginLink: string;
}

const NAME = 'demo.localhost';
const PLATFORM = 'wordpress';
const CODE = '/usr/share/wordpress';

export async function installFirstSite(
  fleet: Fleet,
  step: (text: string) => void,
  signal: AbortSignal,
): Promise<FirstSite> {
  const { connection } = fleet;
  const { platforms } = await connection.call(PlatformServiceService.listPlatforms, { pageSize: 0, pageToken: '' });
  if (!platforms.some((platform) => platform.name === PLATFORM)) {
    await finish(
      fleet,
      await connection.call(PlatformServiceService.addPlatform, {
        name: PLATFORM,
        root: CODE,
        service: 'web1/nginx',
        app: 'wordpress',
        options: undefined,
      }),
      step,
      signal,
    );
  }
  const { sites } = await connection.call(SiteServiceService.listSites, {
    pageSize: 0,
    pageToken: '',
    client: '',
    platform: '',
  });
  const there = sites.find((site) => site.name === NAME);
  const change =
    there === undefined
      ? await connection.call(SiteServiceService.installSite, {
          name: NAME,
          aliases: [],
          platform: PLATFORM,
          db: 'db1/mariadb',
          dns: '',
          client: '',
          title: 'Demo',
          locale: '',
          profile: '',
          adminName: 'admin',
          adminMail: '',
          options: undefined,
        })
      : await connection.call(SiteServiceService.loginSite, { site: NAME, account: '', options: undefined });
  const loginLink = await finish(fleet, change, step, signal);
  const site = await connection.call(SiteServiceService.getSite, { site: NAME });
  return { name: NAME, url: site.url, loginLink };
}

/** Shows the task's steps as they go; answers the link that it gave, if any. */
async function finish(
  fleet: Fleet,
  change: ChangeResponse,
  step: (text: string) => void,
  signal: AbortSignal,
): Promise<string> {
  let link = '';
  const { taskId } = change;
  for await (const event of fleet.connection.stream(TaskServiceService.watchTask, { taskId, afterSeq: 0n })) {
    signal.throwIfAborted();
    const { body } = event;
    if (body?.$case === 'state' && body.value.to === 'done' && event.step !== undefined)
      step(change.plan?.steps[event.step]?.summary ?? '');
    if (body?.$case === 'log' && (body.value.level === 'warn' || body.value.level === 'error'))
      step(`${body.value.level}: ${body.value.text}`);
    if (body?.$case === 'message' && body.value.kind === 'link') link = body.value.value;
  }
  const task = await fleet.connection.call(TaskServiceService.getTask, { taskId });
  if (task.state !== 'succeeded') throw new Error(`${task.plan?.summary ?? task.verb}: ${task.state}: ${task.reason}`);
  return link;
}
