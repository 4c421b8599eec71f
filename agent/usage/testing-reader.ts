// A program for tests: reads the logs of one site as an agent does, and is killed at the Nth transaction, just before or
// just after it is durable. Arguments: state directory, site id, directory of logs, before or after, N (0: never).
import { openSiteBook } from '../site-book.ts';
import { SERVER_ID } from '../testing/requests.ts';
import { readLogs } from './read-logs.ts';
import { createUsageTable } from './usage-table.ts';

const [state = '', site = '', logs = '', when = '', nth = '0'] = process.argv.slice(2);
const book = openSiteBook(state, SERVER_ID);
let left = Number(nth);
const die = (at: string): void => {
  if (at === when && left === 0) process.kill(process.pid, 'SIGKILL');
};
const table = createUsageTable({
  ...book,
  write(doing, work) {
    left -= 1;
    const answer = book.write(doing, () => {
      const done = work();
      die('before');
      return done;
    });
    die('after');
    return answer;
  },
});
await readLogs(site, logs, table, { first: '2000-01-01', last: '2100-01-01' });
book.close();
