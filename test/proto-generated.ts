// shared/gen must be what the protos generate: generates anew into a temporary directory and compares.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from '../deploy/setup/proto.ts';

const root = new URL('..', import.meta.url).pathname;
const dir = mkdtempSync(join(tmpdir(), 'aegir-gen-'));
try {
  generate(`${dir}/gen`);
  const filesOf = (base: string) =>
    readdirSync(base, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(base.length + 1))
      .sort();
  const fresh = join(dir, 'gen');
  const kept = join(root, 'shared/gen');
  const names = [...new Set([...filesOf(fresh), ...filesOf(kept)])];
  const read = (base: string, name: string) => {
    try {
      return readFileSync(join(base, name), 'utf8');
    } catch {
      return undefined;
    }
  };
  const differing = names.filter((name) => read(fresh, name) !== read(kept, name));
  if (differing.length > 0) {
    console.error(`shared/gen is not what the protos generate (${differing.join(', ')}); run: npm run proto`);
    process.exit(1);
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
