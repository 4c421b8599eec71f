// Diagnosis: how far this host's clock is from the master's. Certificates and expiries depend on it.
import type { Finding } from '../../shared/finding.ts';

const WARN_MS = 5_000; // more than delivery takes
const ERROR_MS = 60_000; // orders expire wrongly from here on

export function checkClock(here: number, master: number): Finding {
  const skew = here - master;
  const size = Math.abs(skew);
  const seconds = (size / 1000).toFixed(1);
  if (size < WARN_MS)
    return { subject: 'clock', code: 'clock.skew', level: 'ok', text: `within ${seconds} s of the master's` };
  return {
    subject: 'clock',
    code: 'clock.skew',
    level: size < ERROR_MS ? 'warning' : 'error',
    text: `${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} the master's`,
    advice: 'set up time synchronisation (NTP) on both',
  };
}
