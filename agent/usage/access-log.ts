// Reads lines of access logs in the form "combined", as our virtual hosts write them. Clients choose most of what stands
// there; web servers escape quotes, so that only what is between them is theirs. Pure.

/** What was asked for on one day. */
export interface Traffic {
  requests: number;
  bytes: number;
  /** 1xx to 5xx. */
  readonly statuses: [number, number, number, number, number];
}

/** Before the request's quote stands the time, and before that a user's name that may hold anything but a plain quote. */
const LINE =
  /^(?:[^"\\]|\\.)*\[(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(?: |$)/;
/** What Aegir itself asks for, by the request's line, and by who says to ask. */
const OURS = /^[A-Z]+ \/\.well-known\/acme-challenge\//;
const OUR_AGENT = /"aegir-agent"\r?$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MINUTE_MS = 60_000;

export function emptyTraffic(): Traffic {
  return { requests: 0, bytes: 0, statuses: [0, 0, 0, 0, 0] };
}

/** By day (UTC, 2026-11-23). Lines of another form count for nothing. */
export function trafficIn(text: string): Map<string, Traffic> {
  const days = new Map<string, Traffic>();
  for (const line of text.split('\n')) {
    const found = LINE.exec(line);
    if (found === null) continue;
    const day = dayOf(found);
    const traffic = day === undefined ? undefined : (days.get(day) ?? emptyTraffic());
    if (day === undefined || traffic === undefined) continue;
    const bytes = Number(found[12]);
    const at = Math.min(5, Math.max(1, Math.floor(Number(found[11]) / 100))) - 1;
    traffic.requests += 1;
    traffic.bytes += Number.isSafeInteger(bytes) ? bytes : 0;
    traffic.statuses[at] = (traffic.statuses[at] ?? 0) + 1;
    days.set(day, traffic);
  }
  return days;
}

/** When somebody asked for the site, ms since 1970; undefined for a line of another form, and for what Aegir asks. */
export function requestIn(line: string): number | undefined {
  const found = LINE.exec(line);
  if (found === null || OURS.test(found[10] ?? '') || OUR_AGENT.test(line)) return undefined;
  return timeOf(found);
}

function dayOf(found: readonly string[]): string | undefined {
  const at = timeOf(found);
  return at === undefined ? undefined : utcDay(at);
}

function timeOf([, day, name = '', year, hour, minute, second, sign, zoneHours, zoneMinutes]: readonly string[]):
  | number
  | undefined {
  const month = MONTHS.indexOf(name);
  if (month < 0) return undefined;
  const local = Date.UTC(Number(year), month, Number(day), Number(hour), Number(minute), Number(second));
  const offset = (Number(zoneHours) * 60 + Number(zoneMinutes)) * MINUTE_MS;
  return sign === '+' ? local - offset : local + offset;
}

export function utcDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
