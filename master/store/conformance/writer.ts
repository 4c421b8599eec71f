// A process for the suite to kill: opens the store in argv[2], prints "open", then saves records and prints the id of
// each one that was acknowledged, for ever.
import { openSqliteStore } from '../open-sqlite.ts';
import { task } from './samples.ts';

const [dir = '', run = ''] = process.argv.slice(2);
const store = await openSqliteStore({ dir });
process.stdout.write('open\n');
for (let n = 0; ; n++) {
  const id = `task-${run}-${n}`;
  if (n % 3 === 0) await store.tasks.insert(task(id, { locks: [id] }));
  else {
    await store.transaction(async (tx) => {
      await tx.tasks.insert(task(id));
      await tx.settings.insert({ id, value: 'x'.repeat(n % 5000) });
    });
  }
  process.stdout.write(`${id}\n`);
}
