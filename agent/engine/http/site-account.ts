// The account of a site's user in the system, while the site may not run: closed, so that neither cron nor at starts
// anything of it. Declared by the site's state as its virtual host is, and looked at whenever the site is.
import type { Host } from '../../host/host.ts';
import type { Change } from '../engine.ts';

/** Nothing where all sites have one user, or the site's is not there yet. */
export async function planClosing(name: string, user: string, host: Host): Promise<readonly Change[]> {
  const { accounts } = host.users;
  if ((await accounts?.state(user)) !== 'open') return [];
  return [
    {
      summary: `close the account of the user of ${name}, so that neither cron nor at starts anything of it`,
      run: async () => accounts?.close(user),
    },
  ];
}

/** An account that somebody else let expire is his business. */
export async function planOpening(name: string, user: string, host: Host): Promise<readonly Change[]> {
  const { accounts } = host.users;
  if ((await accounts?.state(user)) !== 'closed') return [];
  return [
    {
      summary: `open the account of the user of ${name} again: cron and at may start what is its own`,
      run: async () => accounts?.open(user),
    },
  ];
}
