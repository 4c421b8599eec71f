// Places for calls of strangers: so many in all and from one address, so that no one of them takes all.
import { callerOf } from '../session/rate-limit.ts';

export interface PlaceLimits {
  /** In all. */
  readonly most: number;
  /** Of one address (of one /64 of IPv6). */
  readonly mostOfAddress: number;
}

export interface Places {
  /** For a peer (address:port). Answers what gives the place back, repeatable; undefined when there is none. */
  take(peer: string): (() => void) | undefined;
}

export function createPlaces({ most, mostOfAddress }: PlaceLimits): Places {
  const ofCaller = new Map<string, number>();
  let taken = 0;
  return {
    take(peer) {
      const caller = callerOf(peer);
      const before = ofCaller.get(caller) ?? 0;
      if (taken >= most || before >= mostOfAddress) return undefined;
      taken += 1;
      ofCaller.set(caller, before + 1);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        taken -= 1;
        const left = (ofCaller.get(caller) ?? 1) - 1;
        if (left === 0) ofCaller.delete(caller);
        else ofCaller.set(caller, left);
      };
    },
  };
}
