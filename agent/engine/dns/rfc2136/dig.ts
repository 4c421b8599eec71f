// Reads a zone by Debian's dig: the whole by a transfer (RFC 5936), or single names by questions to its name server.
import { AegirError } from '../../../../shared/error.ts';
import type { Host } from '../../../host/host.ts';
import { markName } from '../ownership.ts';
import type { RecordRead } from '../rrset.ts';
import { keyFault, type NameServer, nameOf, noAnswer, ofTool } from './tsig.ts';

/** Seconds for one try of one question. */
const TRY_S = 3;
/** A zone of some 200 000 records; what is larger is refused, not cut. */
const MAX_OUTPUT = 32 * 1024 * 1024;
const TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'TXT', 'CAA', 'NS', 'SRV'];

export interface Dig {
  readonly host: Host;
  readonly server: NameServer;
  /** For all questions of one reading. */
  readonly withinMs: number;
}

export async function transferZone(dig: Dig, zone: string, signal: AbortSignal): Promise<readonly RecordRead[]> {
  const doing = `read zone ${zone}`;
  const said = await ask(dig, [`${zone}. AXFR`], ['+answer'], doing, signal);
  const records = recordsIn(said);
  const [first, last] = [records[0], records.at(-1)];
  if (records.length > 1 && first?.type === 'SOA' && last?.type === 'SOA') return records.slice(0, -1);
  if (said.length >= MAX_OUTPUT && last?.type === 'SOA') {
    throw new AegirError(
      'resource_exhausted',
      `cannot ${doing}: it is larger than ${MAX_OUTPUT / 2 ** 20} MiB as text`,
    );
  }
  throw await whyNot(dig, zone, said, doing, signal);
}

/** Every type that we set at the names, and their marks. */
export async function askNames(
  dig: Dig,
  zone: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly RecordRead[]> {
  const doing = `read names of zone ${zone}`;
  const questions = [
    `${zone}. SOA`,
    ...names.flatMap((name) => [`${markName(name)}. TXT`, ...TYPES.map((type) => `${name}. ${type}`)]),
  ];
  const shown = ['+answer', '+authority', '+comments', '+norecurse'];
  const said = await ask(dig, questions, shown, doing, signal);
  const answers = said.split(/^;; Got answer:$/m).slice(1);
  const bad = answers.find((answer) => !/status: (NOERROR|NXDOMAIN)/.test(answer));
  if (bad !== undefined || answers.length !== questions.length) throw await whyNot(dig, zone, said, doing, signal);
  if (!recordsIn(answers[0] ?? '').some(({ type, name }) => type === 'SOA' && name === `${zone}.`)) {
    throw notCarried(dig.server, zone, doing);
  }
  return answers.slice(1).flatMap((answer) => recordsIn(answer).filter(({ type }) => type !== 'SOA'));
}

/** Some, as BIND, judge our signature whatever is asked; others only where they have the zone. */
export async function trySignature(dig: Dig, zones: readonly string[], signal: AbortSignal): Promise<void> {
  const doing = 'try the name server';
  const questions = zones.length === 0 ? ['. SOA'] : zones.map((zone) => `${zone}. SOA`);
  const said = await ask(dig, questions, ['+comments', '+additional', '+norecurse'], doing, signal);
  const silent = noAnswer(dig.server, doing, said);
  if (silent !== undefined) throw silent;
  const fault = keyFault(said);
  if (fault !== undefined) throw keyRefused(dig.server, doing, fault);
}

function keyRefused(server: NameServer, doing: string, fault: string): AegirError {
  const where = `name server ${nameOf(server)}`;
  return new AegirError('failed_precondition', `cannot ${doing}: ${where} does not take our key: ${fault}`);
}

/** Everything that dig said. */
async function ask(
  dig: Dig,
  questions: readonly string[],
  shown: readonly string[],
  doing: string,
  signal: AbortSignal,
): Promise<string> {
  const { host, port, key } = dig.server;
  const proof = key === undefined ? '' : ` -y ${key.algorithm}:${key.name}:${key.secret}`;
  // dig takes no more than 14 words of a line.
  const input = questions.map((question) => `@${host} -p ${port}${proof} ${question}\n`).join('');
  const argv: [string, ...string[]] = ['dig', '-r', `+time=${TRY_S}`, '+tries=2', '+noall', ...shown, '-f', '-'];
  const common = { input, timeoutMs: dig.withinMs, maxOutput: MAX_OUTPUT, signal };
  try {
    const { stdout, stderr } = await dig.host.run({ argv, ...common });
    return `${stdout}\n${stderr}`;
  } catch (thrown) {
    throw ofTool(thrown, dig.server, doing);
  }
}

async function whyNot(dig: Dig, zone: string, said: string, doing: string, signal: AbortSignal): Promise<AegirError> {
  const where = `name server ${nameOf(dig.server)}`;
  const silent = noAnswer(dig.server, doing, said);
  if (silent !== undefined) return silent;
  const proven = await ask(dig, [`${zone}. SOA`], ['+comments', '+additional', '+answer', '+norecurse'], doing, signal);
  const fault = keyFault(`${said}\n${proven}`);
  if (fault !== undefined) return keyRefused(dig.server, doing, fault);
  const status = /status: ([A-Z]+)/.exec(proven)?.[1];
  if (status === undefined || status === 'SERVFAIL') {
    const what = status === undefined ? 'does not answer' : 'fails (SERVFAIL): it has the zone and cannot read it';
    return new AegirError('unavailable', `cannot ${doing}: ${where} ${what}`);
  }
  const there = recordsIn(proven).some(({ type, name }) => type === 'SOA' && name === `${zone}.`);
  // Without a key "refused" may be meant for us, not for the zone.
  const refusesUs = status === 'REFUSED' && dig.server.key === undefined;
  if (!there && !refusesUs) return notCarried(dig.server, zone, doing);
  return new AegirError(
    'failed_precondition',
    `cannot ${doing}: ${where} does not let us transfer it; allow transfers to our key there, or set axfr to no`,
  );
}

function notCarried(server: NameServer, zone: string, doing: string): AegirError {
  return new AegirError(
    'not_found',
    `cannot ${doing}: name server ${nameOf(server)} does not carry zone ${zone}; make the zone there first`,
    { untouched: true },
  );
}

/** Lines of a zone file: name, TTL, class, type, data. */
export function recordsIn(text: string): readonly RecordRead[] {
  return text.split('\n').flatMap((line) => {
    const [, name, ttl, type, data] = /^([^\s;]\S*)\s+([0-9]+)\s+IN\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    if (name === undefined || ttl === undefined || type === undefined || data === undefined) return [];
    return [{ name: name.toLowerCase(), ttl: Number(ttl), type, data }];
  });
}
