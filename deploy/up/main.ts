// npm run up: master, mesh node and two embedded servers on this machine, a platform, a site; ends with its login link.
//   --check      from nothing in a temporary directory; asks the home page and the login link, stops, exits 0 or says why not
//   --dir DIR    keep everything there
//   --servers 3  and web2 with nginx, PHP-FPM and MariaDB, from then on
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkSite } from './check.ts';
import { NAME, openFirstSite } from './first-site.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { defaultDir, openLayout, requirePorts, withThird } from './layout.ts';
import { takeDirectory } from './one-at-a-time.ts';

const USAGE = `usage: npm run up -- [--check] [--dir DIR] [--servers 3]
  --dir DIR    keep everything there; its ports are in DIR/ports.json: the usual ones (7443 to 7447, 8081), or others where those are taken
  --servers 3  and web2 with nginx, PHP-FPM, MariaDB and a place for backups, from then on
  --check      the whole in a temporary directory: asks the home page and the login link, and stops
The master is noted as context "up" (aegir context list); a second one with another --dir takes that name over.
`;

interface Flags {
  readonly check: boolean;
  readonly dir: string | undefined;
  readonly third: boolean;
}

function parse(argv: readonly string[]): Flags {
  let check = false;
  let dir: string | undefined;
  let third = false;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i];
    if (word === '--check') check = true;
    else if (word === '--dir') {
      dir = argv[++i];
      if (!dir) {
        process.stderr.write('up: --dir needs a directory\n');
        process.exit(2);
      }
    } else if (word === '--servers') {
      const count = argv[++i];
      if (count !== '2' && count !== '3') {
        process.stderr.write('up: --servers needs 2 or 3\n');
        process.exit(2);
      }
      third = count === '3';
    } else {
      if (word !== '--help') process.stderr.write(`up: cannot use ${JSON.stringify(word)}: there is no such option\n`);
      process.stderr.write(USAGE);
      process.exit(word === '--help' ? 0 : 2);
    }
  }
  return { check, dir, third };
}

const begin = performance.now();
const say = (text: string) => process.stdout.write(`${text}\n`);
const step = (text: string) => say(`${`${((performance.now() - begin) / 1000).toFixed(1)} s`.padStart(8)}  ${text}`);

async function main(): Promise<number> {
  const flags = parse(process.argv.slice(2));
  const temporary = flags.check && flags.dir === undefined;
  const dir =
    flags.dir ??
    (temporary ? mkdtempSync(join(tmpdir(), 'aegir-check-')) : defaultDir(process.env, process.getuid?.() ?? 0));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort(signal));

  let fleet: Fleet | undefined;
  let failed: unknown;
  let release = () => {};
  try {
    // The daemons' user has to pass through it.
    if (temporary) chmodSync(dir, 0o711);
    const chosen = await openLayout(dir);
    release = await takeDirectory(dir);
    const layout = flags.third ? await withThird(chosen) : chosen;
    await requirePorts(layout);
    fleet = await startFleet(layout, step, stop.signal);
    const site = await openFirstSite(fleet, { dir, again: flags.check }, step, stop.signal);
    if (flags.check && site !== undefined) await checkSite(fleet, site, step);
    else {
      say('');
      if (site === undefined) say(`  Site          none: ${NAME} was deleted, and up installs it once`);
      else {
        say(`  Site          ${site.url}`);
        if (site.loginLink === '') say(`  Login link    none: ${site.noLink}`);
        else say(`  Login link    ${site.loginLink}   (works once, for ten minutes)`);
      }
      say(`  API           ${fleet.apiAddress}   (gRPC, TLS; CA certificate in ${join(layout.master, 'ca.pem')})`);
      say(`  Admin token   ${fleet.tokenFile}`);
      say('  Try           npm run -s aegir -- graph');
      say(`                npm run -s aegir -- site ${site === undefined ? 'install' : 'login'} ${NAME}`);
      say('');
      say(`Everything is under ${dir}. Ctrl-C stops it; the next npm run up finds all as it was.`);
      await Promise.race([fleet.ended, new Promise((resolve) => stop.signal.addEventListener('abort', resolve))]);
    }
  } catch (error) {
    failed = stop.signal.aborted ? undefined : error;
  }
  if (stop.signal.aborted || flags.check) step('stopping');
  await fleet?.stop();
  release();
  if (failed !== undefined) {
    process.stderr.write(`up: ${failed instanceof Error ? failed.message : String(failed)}\n`);
    if (temporary) process.stderr.write(`up: what it left is in ${dir}\n`);
    return 1;
  }
  if (temporary) rmSync(dir, { recursive: true, force: true });
  if (flags.check && !stop.signal.aborted) step('check passed: home page and login link work, nothing is left running');
  return flags.check && stop.signal.aborted ? 130 : 0;
}

process.exitCode = await main();
