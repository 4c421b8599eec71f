// Whether the certificates that Apache is about to load fit their keys. Its own test of a configuration does not look into
// them, and an Apache that is told to load an unfit pair ends.
import { join } from 'node:path';
import type { Files } from '../../../host/host.ts';
import { type Complaint, siteFile } from '../config/complaint.ts';
import { usablePair } from '../tls-files.ts';

const HEADING = 'Server certificates:';
const OUR_PAIR = /^\/.*\/(site-[0-9a-z]{16})\/tls\/[0-9a-f]{32}\.crt$/;

/** Paths below the heading of `apache2 -t -D DUMP_CERTS`. Pure. */
export function readCertificates(dump: string): readonly string[] {
  const lines = dump.split('\n');
  const at = lines.indexOf(HEADING);
  if (at < 0) return [];
  const rest = lines.slice(at + 1);
  const end = rest.findIndex((line) => !line.startsWith('  /'));
  return [...new Set((end < 0 ? rest : rest.slice(0, end)).map((line) => line.trim()))];
}

/** The first of the sites' pairs that Apache could not use. What is not Aegir's is the operator's to know. */
export async function unfitPair(
  certificates: readonly string[],
  files: Files,
  includeDir: string,
): Promise<Complaint | undefined> {
  for (const path of certificates) {
    const siteId = OUR_PAIR.exec(path)?.[1];
    if (siteId === undefined) continue;
    const [cert = '', key = ''] = await Promise.all([files.read(path), files.read(path.replace(/\.crt$/, '.key'))]);
    const why = unfit(cert, key);
    if (why === undefined) continue;
    const message = `certificate ${path} cannot be used with its key: ${why}`;
    return { message, file: join(includeDir, siteFile(siteId)), line: undefined };
  }
  return undefined;
}

function unfit(cert: string, key: string): string | undefined {
  if (cert === '' || key === '') return 'one of them is empty';
  try {
    usablePair(cert, key);
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}
