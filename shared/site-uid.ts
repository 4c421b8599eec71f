// Numbers of sites' system users: who gives which. None is given twice, so that what a site left somewhere, a program with
// the set-user-id bit above all, is nobody's for ever. The ranges are free by systemd's UIDS-GIDS.

export interface UidRange {
  readonly first: number;
  readonly last: number;
}

/**
 * The master's, in this order: of sites that several servers serve from shared files, the same on all of them. The first is
 * above what adduser gives to people and what subuid ranges begin with, below those of systemd-nspawn's containers (524288
 * and up); the second is above those, and above what SSSD makes of a directory's users by default.
 */
export const SHARED_UIDS: readonly [UidRange, UidRange] = [
  { first: 480_000, last: 524_287 },
  { first: 2_010_000_000, last: 2_019_999_999 },
];

/** An agent's own: of sites that its server has for itself. A site a minute uses them up in two hundred years. */
export const HOST_UIDS: UidRange = { first: 2_020_000_000, last: 2_139_999_999 };

/**
 * An agent's own in a container that has no such numbers (it often has 65536): the end of people's, from which adduser
 * gives none before it has used up those below.
 */
export const SMALL_HOST_UIDS: UidRange = { first: 40_000, last: 59_999 };

/** True for one that the master gives. */
export function isSharedUid(uid: number): boolean {
  return SHARED_UIDS.some((range) => isWithin(uid, range));
}

/** True for one that an agent gives. */
export function isHostUid(uid: number): boolean {
  return isWithin(uid, HOST_UIDS) || isWithin(uid, SMALL_HOST_UIDS);
}

/** The shared one after the highest that was ever given, 0 for none yet; undefined when all were. */
export function nextSharedUid(highest: number): number | undefined {
  for (const { first, last } of SHARED_UIDS) if (highest < last) return Math.max(first, highest + 1);
  return undefined;
}

export function isWithin(uid: number, { first, last }: UidRange): boolean {
  return Number.isInteger(uid) && uid >= first && uid <= last;
}
