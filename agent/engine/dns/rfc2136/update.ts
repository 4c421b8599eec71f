// Changes a zone by a dynamic update (RFC 2136) with Debian's nsupdate: one message, which names what must be there before
// and is done whole or not at all.
import { AegirError } from '../../../../shared/error.ts';
import type { Host } from '../../../host/host.ts';
import { type Contents, type Edit, mergeEdits } from '../rrset.ts';
import { CHANGED } from '../zone-transport.ts';
import { keyFault, type NameServer, nameOf, noAnswer, ofTool } from './tsig.ts';

const WITHIN_MS = 20_000;
/** Seconds that nsupdate itself waits. */
const WAIT_S = 10;
const DEFAULT_TTL = 3600;

/** What nsupdate reads. The data of edits is in presentation format and on one line. */
export function updateScript(server: NameServer, zone: string, edits: readonly Edit[]): string {
  const { host, port, key } = server;
  const lines = [`server ${host} ${port}`];
  if (key !== undefined) lines.push(`key ${key.algorithm}:${key.name} ${key.secret}`);
  lines.push(`zone ${zone}.`);
  const merged = mergeEdits(edits);
  for (const { name, type, before } of merged) {
    // The serial in it changes whenever the server signs or is told of anything.
    if (type === 'SOA') continue;
    if (before === undefined) lines.push(`prereq nxrrset ${name}. ${type}`);
    for (const data of before?.data ?? []) lines.push(`prereq yxrrset ${name}. ${type} ${data}`);
  }
  // SOA and NS of the zone itself cannot be removed, not even to set others in the same message (section 3.4.2.4): the
  // new ones come, then the old ones go.
  const lasting = ({ name, type }: Edit): boolean => name === zone && (type === 'SOA' || type === 'NS');
  // Of all others, what goes makes room for what comes: a CNAME excludes all else at its name.
  for (const edit of merged) if (edit.before && !lasting(edit)) lines.push(`update delete ${edit.name}. ${edit.type}`);
  for (const { name, type, after } of merged) {
    for (const data of after?.data ?? [])
      lines.push(`update add ${name}. ${after?.ttl ?? DEFAULT_TTL} ${type} ${data}`);
  }
  for (const edit of merged) {
    const gone = lasting(edit) && edit.type === 'NS' ? (edit.before?.data ?? []) : [];
    for (const data of gone) if (!edit.after?.data.includes(data)) lines.push(`update delete ${edit.name}. NS ${data}`);
  }
  return [...lines, 'send', ''].join('\n');
}

export async function sendUpdate(
  host: Host,
  server: NameServer,
  zone: string,
  edits: readonly Edit[],
  signal: AbortSignal,
): Promise<void> {
  const doing = `change zone ${zone}`;
  const input = updateScript(server, zone, edits);
  // By TCP: an update that is sent again because its answer got lost would fail for what it did itself.
  const argv: [string, ...string[]] = ['nsupdate', '-v', '-t', String(WAIT_S)];
  const result = await host.run({ argv, input, timeoutMs: WITHIN_MS, signal }).catch((thrown: unknown) => {
    throw ofTool(thrown, server, doing);
  });
  if (result.code !== 0) throw refused(server, zone, edits, doing, `${result.stdout}\n${result.stderr}`);
}

function refused(server: NameServer, zone: string, edits: readonly Edit[], doing: string, said: string): AegirError {
  const where = `name server ${nameOf(server)}`;
  const status = /update failed: ([A-Z]+)/.exec(said)?.[1] ?? '';
  const fault = keyFault(said);
  if (fault !== undefined) {
    return new AegirError('failed_precondition', `cannot ${doing}: ${where} does not take our key: ${fault}`);
  }
  if (/^(NX|YX)(RRSET|DOMAIN)$/.test(status)) return new AegirError('aborted', `cannot ${doing}: ${CHANGED}`);
  if (status === 'REFUSED') {
    const hosts = mailHosts(zone, edits);
    const mail =
      hosts.length === 0
        ? ''
        : ` an MX record may lead only to a host that has an address, so add one for ${hosts.join(', ')} first; or`;
    const why = `${where} refuses it;${mail} allow updates of the zone, TXT records too, to our key there, and leave its name servers an address`;
    return new AegirError('permission_denied', `cannot ${doing}: ${why}`);
  }
  if (status === 'NOTAUTH' || status === 'NOTZONE') {
    return new AegirError('not_found', `cannot ${doing}: ${where} does not carry zone ${zone}`);
  }
  if (status === 'SERVFAIL') {
    return new AegirError('unavailable', `cannot ${doing}: ${where} failed at it (SERVFAIL); its log tells why`);
  }
  const silent = noAnswer(server, doing, said);
  if (silent !== undefined) return silent;
  // It may quote what it read.
  const safe = server.key === undefined ? said : said.replaceAll(server.key.secret, '[secret]');
  return new AegirError('internal', `cannot ${doing}: nsupdate says: ${safe.trim().slice(0, 300)}`);
}

/** That a server which judges them, as BIND does, will refuse new MX records. */
export function mailDoubt(zone: string, edits: readonly Edit[], contents: Contents): string | undefined {
  const bare = mailHosts(zone, edits).filter((host) => !['A', 'AAAA'].some((type) => contents.get(host, type)));
  if (bare.length === 0) return undefined;
  return `some name servers, BIND among them, refuse an MX record until its host has an address: add one for ${bare.join(', ')} first`;
}

/** Hosts of the zone that new MX records lead to: BIND refuses those without an address (check-mx, check-integrity). */
function mailHosts(zone: string, edits: readonly Edit[]): readonly string[] {
  const targets = edits.flatMap(({ type, after }) =>
    type === 'MX'
      ? (after?.data ?? []).map((data) => (data.split(/\s+/)[1] ?? '').toLowerCase().replace(/\.$/, ''))
      : [],
  );
  return [...new Set(targets)].filter((host) => host === zone || host.endsWith(`.${zone}`));
}
