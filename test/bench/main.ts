// Measurements beside peers, opt-in: npm run bench -- NAME. They print figures and judge nothing.
import { benchBackup } from './backup.ts';
import { benchTransfer } from './transfer.ts';

const BENCHES: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  transfer: benchTransfer,
  backup: benchBackup,
};

const [name = '', ...args] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--rounds N] [--dir DIR]`);
  process.exit(2);
}
await bench(args);
