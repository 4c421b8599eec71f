// npm run lab -- COMMAND: the lab for people. master, web1, web2 and db1 with their own systemd and addresses.
import { spawnSync } from 'node:child_process';
import { buildBase, createLab, type Lab, type LabHost, labUnavailable } from './lab.ts';

export const LAB_HOSTS: readonly LabHost[] = [
  { name: 'master', address: '10.99.0.10' },
  { name: 'web1', address: '10.99.0.11' },
  { name: 'web2', address: '10.99.0.12' },
  { name: 'db1', address: '10.99.0.21' },
];

const USAGE = `usage: npm run lab -- COMMAND
  image               build what hosts start from, unless it is there; up does so, too
  up [HOST...]        start ${LAB_HOSTS.map((host) => host.name).join(', ')}, or those named
  list                hosts and their state
  exec HOST CMD...    run a command in a host
  stop HOST           orderly power-off
  crash HOST          power loss
  cut|heal HOST       take its network away, give it back
  slow HOST RATE|off  for example 1mbit
  loss HOST PCT|off   random loss of packets
  down                delete all hosts with their disks
`;

async function up(lab: Lab, names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => !LAB_HOSTS.some((host) => host.name === name));
  if (unknown.length > 0) throw new Error(`lab: there is no host ${unknown.join(', ')}`);
  const base = await buildBase();
  await lab.startNetwork();
  const running = new Set((await lab.list()).filter((host) => host.up).map((host) => host.name));
  const wanted = LAB_HOSTS.filter((host) => names.length === 0 || names.includes(host.name));
  const table = LAB_HOSTS.map((host) => `${host.address} ${host.name}`).join('\n');
  await Promise.all(
    wanted.map(async (host) => {
      if (running.has(host.name)) return;
      await lab.start(host, base);
      await lab.must(host.name, ['tee', '/etc/hosts'], `127.0.0.1 localhost\n${table}\n`);
    }),
  );
  for (const host of await lab.list())
    console.log(`${host.name.padEnd(8)} ${host.address.padEnd(12)} ${host.up ? 'up' : 'down'}`);
}

async function main(argv: readonly string[]): Promise<number> {
  const [command, host = '', ...rest] = argv;
  const why = labUnavailable();
  if (why !== undefined && command !== undefined) {
    console.error(`lab: cannot be used here: ${why}`);
    return 1;
  }
  const lab = createLab();
  switch (command) {
    case 'image':
      console.log(await buildBase());
      return 0;
    case 'up':
      await up(lab, argv.slice(1));
      return 0;
    case 'list':
      for (const known of await lab.list())
        console.log(`${known.name.padEnd(8)} ${known.address.padEnd(12)} ${known.up ? 'up' : 'down'}`);
      return 0;
    case 'exec':
      return spawnSync(`${import.meta.dirname}/host.sh`, ['exec', host, ...rest], { stdio: 'inherit' }).status ?? 1;
    case 'stop':
      await lab.stop(host);
      return 0;
    case 'crash':
      await lab.crash(host);
      return 0;
    case 'cut':
      await lab.cut(host);
      return 0;
    case 'heal':
      await lab.heal(host);
      return 0;
    case 'slow':
      await lab.slow(host, rest[0] ?? 'off');
      return 0;
    case 'loss':
      await lab.lose(host, rest[0] ?? 'off');
      return 0;
    case 'down':
      for (const known of await lab.list()) await lab.remove(known.name);
      await lab.stopNetwork();
      return 0;
    default:
      process.stderr.write(USAGE);
      return 2;
  }
}

if (process.argv[1] === import.meta.filename) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
