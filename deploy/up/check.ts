// What `up --check` asserts: the home page is the site's, the login link logs in, and only once.
import { createBrowser } from './browse.ts';
import type { FirstSite } from './first-site.ts';
import type { Fleet } from './fleet.ts';

export async function checkSite(fleet: Fleet, site: FirstSite, step: (text: string) => void): Promise<void> {
  const home = await createBrowser(fleet.webAddress).get(`${site.url}/`);
  if (home.status !== 200 || !home.body.includes('<title>Demo')) {
    throw new Error(`the home page ${site.url}/ is not the site's: status ${home.status}, ${home.body.slice(0, 300)}`);
  }
  step(`home page answers: ${site.url}/`);
  if (site.loginLink === '') throw new Error(site.noLink || 'the install gave no login link');
  const owner = createBrowser(fleet.webAddress);
  const dashboard = await owner.get(site.loginLink);
  if (dashboard.status !== 200 || !dashboard.body.includes('id="wpadminbar"')) {
    throw new Error(`the login link does not log in: status ${dashboard.status} at ${dashboard.url}`);
  }
  step('login link logs in');
  const again = await createBrowser(fleet.webAddress).get(site.loginLink);
  if (again.body.includes('id="wpadminbar"')) throw new Error('the login link logs in a second time');
  step('login link does not log in a second time');
}
