// Asks a program for its version.
import type { Host } from '../host/host.ts';

const TIMEOUT_MS = 10_000;

/** The first group of form in what the program prints; empty when it says something else. */
export async function versionOf(host: Host, argv: readonly [string, ...string[]], form: RegExp): Promise<string> {
  const { stdout, stderr } = await host.run({ argv, timeoutMs: TIMEOUT_MS, maxOutput: 64 * 1024 });
  return (form.exec(`${stdout}\n${stderr}`)?.[1] ?? '').slice(0, 64);
}
