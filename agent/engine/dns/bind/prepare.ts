// What named needs before it carries zones of ours: our key, the right to make zones while it runs, a place for them.
import { randomBytes } from 'node:crypto';
import { AegirError } from '../../../../shared/error.ts';
import type { FileOptions, Host } from '../../../host/host.ts';
import type { Change } from '../../engine.ts';
import { requireTools } from '../rfc2136/tools.ts';
import { includesOf, keyFile, type NamedConf, secretIn, withInclude, withNewZones } from './conf.ts';
import { type Named, readConf, rndc, zoneDirectory } from './named.ts';

const MAX_INCLUDES = 100;

export async function planPreparation(host: Host, named: Named, signal: AbortSignal): Promise<readonly Change[]> {
  await requireTools(host, 'prepare BIND');
  const conf = await readConf(host, named, signal);
  if (conf.hasViews) {
    const why = 'its configuration has views, of which this engine does not know which to use';
    throw new AegirError(
      'failed_precondition',
      `cannot prepare BIND: ${why}; declare it as an rfc2136 service instead`,
    );
  }
  if (conf.allowNewZones === 'no') {
    const why = 'its configuration has "allow-new-zones no"';
    throw new AegirError('failed_precondition', `cannot prepare BIND: ${why}; remove that line, or make zones by hand`);
  }
  return [
    ...(await planKey(host, named)),
    ...(await planDirectory(host, named, conf)),
    ...(conf.hasKey ? [] : [includeKey(host, named)]),
    ...(conf.allowNewZones === undefined ? [allowNewZones(host, named)] : []),
  ];
}

async function planKey(host: Host, { daemon, keyPath }: Named): Promise<readonly Change[]> {
  const options: FileOptions = { mode: 0o640, ...(daemon.user === '' ? {} : { group: daemon.user }) };
  const there = (await host.files.read(keyPath)) ?? '';
  const secret = secretIn(there);
  if (secret !== undefined && (await host.files.matches(keyPath, there, options))) return [];
  return [
    {
      summary: `write ${keyPath}: the key by which Aegir changes zones`,
      run: () => host.files.write(keyPath, keyFile(secret ?? randomBytes(32).toString('base64')), options),
    },
  ];
}

async function planDirectory(host: Host, { daemon }: Named, conf: NamedConf): Promise<readonly Change[]> {
  const { user } = daemon;
  const options: FileOptions = { mode: 0o750, ...(user === '' ? {} : { owner: user, group: user }) };
  const directory = zoneDirectory(conf);
  if (await host.files.directoryMatches(directory, options)) return [];
  return [{ summary: `make directory ${directory} for zones`, run: () => host.files.directory(directory, options) }];
}

function includeKey(host: Host, named: Named): Change {
  return {
    summary: `include ${named.keyPath} in ${named.main}`,
    run: ({ signal }) => edit(host, named, named.main, (text) => withInclude(text, named.keyPath), signal),
  };
}

/** There is one options statement only: the line goes where it is, or into a new one at the end of named.conf. */
function allowNewZones(host: Host, named: Named): Change {
  return {
    summary: 'let BIND take new zones while it runs (allow-new-zones yes)',
    async run({ signal }) {
      const path = await fileWithOptions(host, named.main);
      const add = (text: string): string => withNewZones(text) ?? withNewZones(`${text}\noptions {\n};\n`) ?? text;
      await edit(host, named, path ?? named.main, add, signal);
    },
  };
}

async function fileWithOptions(host: Host, main: string): Promise<string | undefined> {
  const left = [main];
  for (let read = 0; read < MAX_INCLUDES; read++) {
    const path = left.shift();
    if (path === undefined) return undefined;
    const text = (await host.files.read(path)) ?? '';
    if (withNewZones(text) !== undefined) return path;
    left.push(...includesOf(text));
  }
  return undefined;
}

/** Owner and mode of a file of a person, which may hold secrets: those that such files have. */
async function optionsOf(host: Host, { daemon }: Named, path: string, text: string): Promise<FileOptions | undefined> {
  const { user } = daemon;
  const owners = [{}, ...(user === '' ? [] : [{ group: user }, { owner: user, group: user }])];
  for (const mode of [0o644, 0o640, 0o664, 0o660, 0o600, 0o444, 0o440]) {
    for (const owner of owners) {
      const options: FileOptions = { mode, ...owner };
      if (await host.files.matches(path, text, options)) return options;
    }
  }
  return undefined;
}

/** Changes a file of a person: what does not work in the end is as it was before. */
async function edit(
  host: Host,
  named: Named,
  path: string,
  change: (text: string) => string,
  signal: AbortSignal,
): Promise<void> {
  const before = await host.files.read(path);
  if (before === undefined) throw new AegirError('failed_precondition', `cannot prepare BIND: there is no ${path}`);
  const options = await optionsOf(host, named, path, before);
  if (options === undefined) {
    const why = `${path} has an owner or a mode that we would not keep`;
    const lines = `"allow-new-zones yes;" in its options and 'include "${named.keyPath}";'`;
    throw new AegirError('failed_precondition', `cannot prepare BIND: ${why}; add ${lines} yourself`);
  }
  const write = (text: string): Promise<void> => host.files.write(path, text, options);
  await write(change(before));
  try {
    await readConf(host, named, signal);
    if (!(await named.daemon.isRunning())) return await named.daemon.start();
    const { ok, said } = await rndc(host, named, ['reconfig'], signal);
    if (!ok) throw new AegirError('failed_precondition', `cannot prepare BIND: it does not take ${path}: ${said}`);
  } catch (thrown) {
    await write(before);
    await rndc(host, named, ['reconfig']);
    throw thrown;
  }
}
