// Diagnosis: whether the host must be started anew: something asked for it, or a newer kernel than the running one lies ready.
import type { Finding } from '../../shared/finding.ts';
import type { Host } from '../host/host.ts';

const subject = 'reboot';
const code = 'reboot.required';
const advice = 'restart the host when its sites can be away for a minute';

export async function checkReboot(host: Host, running: string): Promise<readonly Finding[]> {
  if (await host.files.exists('/run/reboot-required')) {
    const packages = ((await host.files.read('/run/reboot-required.pkgs')) ?? '').split('\n').filter(Boolean);
    const text = `asked for${packages.length === 0 ? '' : ` by ${[...new Set(packages)].slice(0, 8).join(', ')}`}`;
    return [{ subject, code, level: 'warning', text, advice }];
  }
  return [judgeKernel(await host.files.list('/boot'), running)];
}

/** names: of the files in /boot. */
export function judgeKernel(names: readonly string[], running: string): Finding {
  const installed = names.filter((name) => name.startsWith('vmlinuz-')).map((name) => name.slice('vmlinuz-'.length));
  // In a container, or with a kernel from elsewhere, /boot says nothing about what runs.
  if (!installed.includes(running)) {
    if (installed.length === 0) return { subject, code, level: 'ok', text: `kernel ${running}; none lies in /boot` };
    const text = `the running kernel ${running} is none of those in /boot (${installed.join(', ')})`;
    return { subject, code, level: 'info', text };
  }
  const newest =
    installed
      .filter((each) => flavourOf(each) === flavourOf(running))
      .sort(byVersion)
      .at(-1) ?? running;
  if (newest === running)
    return { subject, code, level: 'ok', text: `kernel ${running} is the newest that is installed` };
  return { subject, code, level: 'warning', text: `kernel ${running} runs, and ${newest} is installed`, advice };
}

/** 6.1.0-18-rt-amd64: rt-amd64. */
function flavourOf(release: string): string {
  return release.replace(/^[\d.]+(?:-\d+)?-?/, '');
}

function byVersion(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
