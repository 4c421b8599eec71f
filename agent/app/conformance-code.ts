// Writes small code bases for tests.
import { dirname, join } from 'node:path';
import type { Files } from '../host/host.ts';

/** Names from the root, with what stands in them. */
export async function writeCode(files: Files, root: string, content: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(content)) {
    const path = join(root, name);
    await files.directory(dirname(path), { mode: 0o755 });
    await files.write(path, text, { mode: 0o644 });
  }
}
