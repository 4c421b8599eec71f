// Numbers of system users of sites that several servers serve from shared files: the same on all of them. Above what
// adduser gives to people and what subuid ranges begin with, below those of systemd-nspawn's containers (524288 and up;
// systemd's UIDS-GIDS).
export const FIRST_SITE_UID = 480_000;
export const LAST_SITE_UID = 524_287;

/** True for one of these. */
export function isSiteUid(uid: number): boolean {
  return Number.isInteger(uid) && uid >= FIRST_SITE_UID && uid <= LAST_SITE_UID;
}
