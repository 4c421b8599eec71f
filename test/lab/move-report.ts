// What the newest move of a site took, from the story of its task: how long visitors were held and by which steps, and what
// the gate counted.
import type { Fleet } from './fleet.ts';

interface Told {
  readonly step?: number;
  readonly time: string;
  readonly state?: { readonly to: string };
  readonly log?: { readonly level: string; readonly text: string };
}

interface Shown {
  readonly id: string;
  readonly verb: string;
  readonly state: string;
  readonly reason: string;
  readonly plan: { readonly steps: readonly { readonly kind: string; readonly summary: string }[] };
}

export interface MoveReport {
  readonly state: string;
  /** From the first order to hold until the gate was told to hand on. */
  readonly heldMillis: number;
  /** As the gate says it. */
  readonly gate: string;
  /** Steps between, with what each took, the longest first. */
  readonly steps: readonly string[];
}

/** Says it of one that is stuck, too, whose story has no end yet. */
export async function newestMove(fleet: Fleet): Promise<Pick<Shown, 'id' | 'state' | 'reason'>> {
  const tasks = await fleet.json<readonly Shown[]>('task', 'list', '--limit', '5');
  const newest = tasks.find(({ verb }) => verb === 'site.migrate');
  if (newest === undefined) throw new Error('no site was moved');
  return newest;
}

export async function reportOfMove(fleet: Fleet): Promise<MoveReport> {
  const newest = await newestMove(fleet);
  const { id, state, plan } = await fleet.json<Shown>('task', 'show', newest.id);
  const lines = (await fleet.must('task', 'log', id, '--output', 'json')).split('\n');
  const events = lines.map((line) => JSON.parse(line) as Told).toSorted(byTime);
  const at = (index: number, to: string): number => {
    const event = events.find((each) => each.step === index && each.state?.to === to);
    return event === undefined ? Number.NaN : Date.parse(event.time);
  };
  const [hold, forward] = ['gate.hold', 'gate.forward'].map((kind) =>
    plan.steps.findIndex((step) => step.kind === kind),
  );
  const between = plan.steps.flatMap(({ summary }, index) =>
    hold !== undefined && forward !== undefined && index >= hold && index <= forward
      ? [{ summary, millis: at(index, 'done') - at(index, 'doing') }]
      : [],
  );
  const steps = between.toSorted((one, other) => other.millis - one.millis);
  return {
    state,
    heldMillis: at(forward ?? -1, 'done') - at(hold ?? -1, 'doing'),
    gate: events.map(({ log }) => log?.text ?? '').findLast((text) => text.startsWith('the gate held')) ?? '',
    steps: steps.map(({ summary, millis }) => `${millis} ms ${summary}`),
  };
}

function byTime(one: Told, other: Told): number {
  return Date.parse(one.time) - Date.parse(other.time);
}

/** Last lines of what a host's web server and agent have to say, to read when something failed. */
export async function lastWords(fleet: Fleet, name: string): Promise<string> {
  const script =
    'tail -n 15 /var/log/nginx/error.log /var/log/apache2/error.log /var/log/aegir/*/error.log 2>/dev/null; journalctl --no-pager --lines=15 --unit=aegir-agent';
  return `${name}:\n${(await fleet.lab.exec(name, ['sh', '-c', script])).stdout}`;
}
