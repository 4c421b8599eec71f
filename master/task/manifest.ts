// manifest.json of a backup: what it is of, for people and programs that have nothing but the archive. Pure; no secrets.
import type { BackupRecord } from '../store/model-backup.ts';

/** A program that reads it checks this first. */
const FORMAT = 'aegir-backup-1';
export const MAX_MANIFEST = 64 * 1024;

export function manifestOf(backup: BackupRecord, takenAt: number, parts: readonly string[]): Uint8Array {
  const { id, siteId, siteName, reason, note, site } = backup;
  const { web, ...others } = site;
  const { php, ...served } = web;
  const content = {
    format: FORMAT,
    ...{ backup: id, takenAt: new Date(takenAt).toISOString(), reason, note, parts },
    site: { id: siteId, name: siteName, ...others, web: { ...served, php } },
  };
  return Buffer.from(`${JSON.stringify(content, null, 2)}\n`);
}
