// PHP code bases that are out of order.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every page of it fails. Answers its directory. */
export function brokenCode(below: string): string {
  const root = join(below, 'broken-code');
  mkdirSync(root, { mode: 0o755 });
  return breakHomePage(root);
}

/** Of a code base that does all else. Answers its directory. */
export function breakHomePage(root: string): string {
  writeFileSync(join(root, 'index.php'), "<?php http_response_code(500); echo 'out of order';\n", { mode: 0o644 });
  return root;
}
