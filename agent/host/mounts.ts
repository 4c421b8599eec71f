// The mounted file systems that hold data: pseudo file systems left out, network ones flagged. Pure.

export interface Mount {
  readonly mount: string;
  readonly type: string;
  readonly network: boolean;
}

const DISK = new Set([
  'ext2',
  'ext3',
  'ext4',
  'xfs',
  'btrfs',
  'zfs',
  'f2fs',
  'jfs',
  'reiserfs',
  'bcachefs',
  'overlay',
  'vfat',
  'exfat',
  'ntfs3',
  'tmpfs',
]);
const NETWORK = new Set([
  'nfs',
  'nfs4',
  'cifs',
  'smb3',
  'glusterfs',
  'ceph',
  'lustre',
  'ocfs2',
  'gfs2',
  '9p',
  'virtiofs',
  'afs',
  'fuse.sshfs',
  'fuse.glusterfs',
  'fuse.ceph',
  'fuse.s3fs',
  'fuse.rclone',
  'fuse.davfs',
  'davfs',
]);
/** tmpfs holds data only where people put some. */
const MEMORY = /^\/(tmp|var\/tmp)$/;

/** Text of /proc/mounts; a mount over another replaces it, a device mounted twice counts once. */
export function parseMounts(text: string): readonly Mount[] {
  const byPath = new Map<string, Mount & { readonly source: string }>();
  for (const line of text.split('\n')) {
    const [source = '', path = '', type = ''] = line.split(' ').map(plainPath);
    if (!path.startsWith('/')) continue;
    byPath.delete(path);
    const network = NETWORK.has(type);
    const holdsData = network || (type === 'tmpfs' ? MEMORY.test(path) : DISK.has(type));
    if (holdsData) byPath.set(path, { source, mount: path, type, network });
  }
  const seen = new Set<string>();
  const mounts: Mount[] = [];
  for (const { source, mount, type, network } of byPath.values()) {
    if (source.startsWith('/dev/') && seen.has(source)) continue;
    seen.add(source);
    mounts.push({ mount, type, network });
  }
  return mounts;
}

/** A field of the kernel's tables of mounts, where spaces and the like are octal. */
export function plainPath(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
