// A PHP code base whose every page fails.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Answers its directory. */
export function brokenCode(below: string): string {
  const root = join(below, 'broken-code');
  mkdirSync(root, { mode: 0o755 });
  writeFileSync(join(root, 'index.php'), "<?php http_response_code(500); echo 'out of order';\n", { mode: 0o644 });
  return root;
}
