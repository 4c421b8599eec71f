// The platform and the site that `up` makes, once for a fleet: Debian's WordPress, served as demo.localhost.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AegirError } from '../../shared/error.ts';
import {
  type ChangeResponse,
  PlatformServiceService,
  type Site,
  SiteServiceService,
  TaskServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import type { Fleet } from './fleet.ts';

export interface FirstSite {
  readonly name: string;
  readonly url: string;
  /** Empty when none can be had. */
  readonly loginLink: string;
  /** Why not, and what to do; empty when there is one. */
  readonly noLink: string;
}

export const NAME = 'demo.localhost';
const PLATFORM = 'wordpress';
const CODE = '/usr/share/wordpress';

export interface FirstSiteOptions {
  /** Of the fleet: keeps there that the site was installed. */
  readonly dir: string;
  /** Installs it again where somebody deleted it. */
  readonly again: boolean;
}

/** undefined when somebody deleted the site. Throws when the installation fails; a link that cannot be had is no failure. */
export async function openFirstSite(
  fleet: Pick<Fleet, 'connection'>,
  { dir, again }: FirstSiteOptions,
  step: (text: string) => void,
  signal: AbortSignal,
): Promise<FirstSite | undefined> {
  const { connection } = fleet;
  const record = join(dir, 'first-site');
  const there = await siteOf(fleet);
  if (there === undefined && existsSync(record) && !again) return undefined;
  const made = there === undefined ? await install(fleet, step, signal) : await logIn(fleet, step, signal);
  // One whose installation was broken off may be undone yet: it is installed then.
  if (there?.state !== 'installing') writeFileSync(record, `${NAME} was installed; up installs it once\n`);
  const site = await connection.call(SiteServiceService.getSite, { site: NAME });
  return { name: NAME, url: site.url, loginLink: made.link, noLink: made.failure };
}

async function siteOf({ connection }: Pick<Fleet, 'connection'>): Promise<Site | undefined> {
  try {
    return await connection.call(SiteServiceService.getSite, { site: NAME });
  } catch (thrown) {
    if (thrown instanceof AegirError && thrown.code === 'not_found') return undefined;
    throw thrown;
  }
}

async function install(
  fleet: Pick<Fleet, 'connection'>,
  step: (text: string) => void,
  signal: AbortSignal,
): Promise<Finished> {
  const { connection } = fleet;
  const done = async (change: ChangeResponse) => {
    const finished = await finish(fleet, change, step, signal);
    if (finished.failure !== '') throw new Error(finished.failure);
    return finished;
  };
  const { platforms } = await connection.call(PlatformServiceService.listPlatforms, { pageSize: 0, pageToken: '' });
  if (!platforms.some((platform) => platform.name === PLATFORM)) {
    await done(
      await connection.call(PlatformServiceService.addPlatform, {
        name: PLATFORM,
        root: CODE,
        service: 'web1/nginx',
        app: 'wordpress',
        options: undefined,
      }),
    );
  }
  return done(
    await connection.call(SiteServiceService.installSite, {
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
    }),
  );
}

async function logIn(
  fleet: Pick<Fleet, 'connection'>,
  step: (text: string) => void,
  signal: AbortSignal,
): Promise<Finished> {
  const { connection } = fleet;
  let change: ChangeResponse;
  try {
    change = await connection.call(SiteServiceService.loginSite, { site: NAME, account: '', options: undefined });
  } catch (thrown) {
    // As the site stands: it is disabled, or on its way to another place.
    if (!(thrown instanceof AegirError) || thrown.code !== 'failed_precondition') throw thrown;
    return { link: '', failure: thrown.message };
  }
  const { taskId } = change;
  const { behind } = await connection.call(TaskServiceService.getTask, { taskId });
  const older = behind === '' ? undefined : await connection.call(TaskServiceService.getTask, { taskId: behind });
  // Others end by themselves, and soon; these may take days, or a person.
  if (older?.state === 'stuck' || older?.state === 'waiting') {
    await connection.call(TaskServiceService.cancelTask, { taskId });
    const failure = `cannot log in to ${NAME}: task ${older.id} (${older.verb}) is ${older.state}; see: aegir task show ${older.id}`;
    return { link: '', failure };
  }
  return finish(fleet, change, step, signal);
}

interface Finished {
  /** Empty when the task gave none. */
  readonly link: string;
  /** Empty when it succeeded. */
  readonly failure: string;
}

/** Shows the task's steps as they go. */
async function finish(
  fleet: Pick<Fleet, 'connection'>,
  change: ChangeResponse,
  step: (text: string) => void,
  signal: AbortSignal,
): Promise<Finished> {
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
  const failure = task.state === 'succeeded' ? '' : `${task.plan?.summary ?? task.verb}: ${task.state}: ${task.reason}`;
  return { link, failure };
}
