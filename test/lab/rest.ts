// What the programs take while nothing happens, as systemd's hosts run them: printed, and held to bounds.
import { expect, test } from 'vitest';
import type { LabHost } from '../../deploy/lab/lab.ts';
import type { Fleet } from './fleet.ts';

const MOST_MB = { 'aegir-agent': 80, 'aegir-master': 150 } as const;
const MOST_CPU_PERCENT = 5;

interface Use {
  readonly rssMb: number;
  readonly cpuSeconds: number;
}

export function restTests(theFleet: () => Fleet): void {
  const takeLittle = async (watchMs: number): Promise<void> => {
    const { master, web1, db1 } = theFleet();
    const programs = [
      [master, 'aegir-master'],
      [web1, 'aegir-agent'],
      [db1, 'aegir-agent'],
    ] as const;
    const measure = () => Promise.all(programs.map(([host, unit]) => useOf(theFleet(), host, unit)));
    const before = await measure();
    // The quantity is what happens in that time, so nothing else can be waited for.
    await new Promise((resolve) => setTimeout(resolve, watchMs));
    const after = await measure();
    for (const [index, [{ name }, unit]] of programs.entries()) {
      const percent = (((after[index]?.cpuSeconds ?? 0) - (before[index]?.cpuSeconds ?? 0)) / (watchMs / 1000)) * 100;
      const rss = after[index]?.rssMb ?? Number.NaN;
      console.log(`${unit} on ${name} at rest: ${rss.toFixed(1)} MB RSS, ${percent.toFixed(1)} % of one CPU`);
      expect(rss, unit).toBeLessThan(MOST_MB[unit]);
      expect(percent, unit).toBeLessThan(MOST_CPU_PERCENT);
    }
  };

  test('agent and master take little', () => takeLittle(15_000));
  // What wakes up once a minute is seen, too.
  test('agent and master take little in a whole minute', { tags: ['deep'] }, () => takeLittle(60_000));
}

async function useOf(fleet: Fleet, host: LabHost, unit: string): Promise<Use> {
  const pid = await fleet.pid(host, unit);
  const status = await fleet.lab.must(host.name, ['cat', `/proc/${pid}/status`, `/proc/${pid}/stat`]);
  const rssKb = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  // After the name in brackets: utime and stime are fields 14 and 15, in hundredths of a second.
  const fields = status.slice(status.lastIndexOf(') ') + 2).split(' ');
  return { rssMb: rssKb / 1024, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100 };
}
