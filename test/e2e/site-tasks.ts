// Installs and deletes one site, and asks for it again when the master died before it acknowledged.
import {
  type ChangeResponse,
  SiteServiceService,
  type Task,
  TaskServiceService,
} from '../../shared/gen/aegir/v1/admin.ts';
import type { Machine } from './machine.ts';

export const SITE = 'fault.localhost';

export function installSite(
  machine: Machine,
  name = SITE,
  aliases: readonly string[] = [],
  platform = 'wordpress',
  db = 'db1/mariadb',
): Promise<ChangeResponse> {
  return machine.connection().call(SiteServiceService.installSite, {
    name,
    aliases: [...aliases],
    platform,
    db,
    dns: '',
    client: '',
    title: 'Fault',
    locale: '',
    profile: '',
    adminName: 'admin',
    adminMail: '',
    options: undefined,
  });
}

export function deleteSite(machine: Machine): Promise<ChangeResponse> {
  return machine.connection().call(SiteServiceService.deleteSite, { site: SITE, confirm: true, options: undefined });
}

/** The newest task of that verb about the site, if there is one besides those known. */
export async function newTask(machine: Machine, verb: string, known: ReadonlySet<string>): Promise<Task | undefined> {
  const { tasks } = await machine.connection().call(TaskServiceService.listTasks, {
    pageSize: 50,
    pageToken: '',
    state: '',
    subjectId: '',
  });
  return tasks.find((task) => task.verb === verb && task.subject === SITE && !known.has(task.id));
}
