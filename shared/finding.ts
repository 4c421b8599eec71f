// A finding as checks make it: what it has no words for is left out, and filled in where it goes on the wire.
import type { Finding as WireFinding } from './gen/aegir/v1/agent.ts';

export type Finding = Pick<WireFinding, 'subject' | 'text'> & {
  readonly level: 'ok' | 'info' | 'warning' | 'error';
} & Partial<Pick<WireFinding, 'code' | 'advice'>>;

export function wireFinding(finding: Finding): WireFinding {
  return { code: '', advice: '', ...finding };
}
