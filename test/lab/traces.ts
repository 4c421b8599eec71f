// What there is of sites on the lab's hosts, as lines that can be compared.
import type { Fleet } from './fleet.ts';

/** But what a site's own program makes as it pleases, like a folder for each month; the site's directories themselves count. */
const ON_WEB = `
find /var/aegir /var/log/aegir /run/aegir /etc /var/lib/php /var/spool/cron -xdev \\( -path '*aegir*' -o -path '*site*' \\) ! -path '*/aegir-00-*' \\
  ! -path '/var/aegir/sites/*/files/*' ! -path '/var/aegir/sites/*/tmp/*' ! -path '/var/aegir/sites/*/sessions/*' 2>/dev/null
getent passwd | grep -i aegir
getent group | grep -i aegir
true`;

const ON_DB = `
SHOW DATABASES;
SELECT CONCAT('user ', user, '@', host) FROM mysql.user;
SELECT CONCAT('grant ', user, '@', host, ' on ', db) FROM mysql.db;`;

/** Files, users and groups of all sites on web1, and databases, users and grants on db1, when that answers. */
export async function traces({ lab, web1, db1 }: Fleet): Promise<string[]> {
  const web = await lab.must(web1.name, ['sh', '-c', ON_WEB]);
  const db = await lab.exec(db1.name, ['mariadb', '-Ne', ON_DB]);
  return [...web.split('\n'), ...(db.code === 0 ? db.stdout.trim().split('\n') : [])].sort();
}
