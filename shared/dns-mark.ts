// How Aegir marks what it owns in a zone: a TXT record at _aegir.NAME says whose the records of NAME are.

export const MARK_LABEL = '_aegir';

export function markText(owner: string, types: readonly string[]): string {
  return `aegir owner=${owner} types=${[...types].sort().join(',')}`;
}

/** undefined for texts of other people; types are divided by commas. */
export function readMarkText(text: string): { readonly owner: string; readonly types: string } | undefined {
  const [, owner, types] = /^aegir owner=(\S+) types=([A-Z0-9,]+)$/.exec(text) ?? [];
  return owner === undefined || types === undefined ? undefined : { owner, types };
}
