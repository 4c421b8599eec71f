// The first part of a backup: manifest.json as one entry of the archive.
import { pack } from 'tar-stream';

const END_BYTES = 1024;

/** Its bytes: the same for the same manifest and time. */
export async function manifestPart(manifest: Uint8Array, takenAt: Date): Promise<Buffer> {
  const tar = pack();
  const mtime = new Date(Math.floor(takenAt.getTime() / 1000) * 1000);
  const header = { name: 'manifest.json', mode: 0o600, mtime, uid: 0, gid: 0, uname: '', gname: '' };
  tar.entry(header, Buffer.from(manifest));
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of tar) pieces.push(piece as Buffer);
  const whole = Buffer.concat(pieces);
  // The archive goes on after it.
  return whole.subarray(0, whole.length - END_BYTES);
}
