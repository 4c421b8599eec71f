// The connections of one listener: so many in all and from one address, and none that says nothing for long. When all
// places are taken, who has said nothing yet makes way for who comes: silence holds nobody off who speaks.
import type { Socket } from 'node:net';
import { callerOf } from '../session/rate-limit.ts';

export interface ConnectionLimits {
  /** In all. */
  readonly most: number;
  /** Of one address (of one /64 of IPv6). Behind one may stand all agents of a site, or everybody in an office. */
  readonly mostOfAddress: number;
  /** How long one may be open without a call: handshakes are in it. ms. */
  readonly patienceMs: number;
}

export interface Connections {
  /** False: the socket was ended, as there is no place. */
  admit(socket: Socket): boolean;
  /** A call runs on the connection of that peer (address:port) until the answer is called; may be repeated. */
  hold(peer: string): () => void;
  /** Whoever is there may be silent, too. */
  trust(peer: string): void;
  open(): number;
  /** Ends those without a call. */
  endSilent(): void;
  /** Ends all. */
  close(): void;
}

interface Place {
  readonly socket: Socket;
  readonly caller: string;
  calls: number;
  trusted: boolean;
  patience: NodeJS.Timeout | undefined;
}

export function createConnections({ most, mostOfAddress, patienceMs }: ConnectionLimits): Connections {
  /** By peer; in order of their coming. */
  const places = new Map<string, Place>();
  const ofCaller = new Map<string, Set<string>>();

  const leave = (peer: string): void => {
    const place = places.get(peer);
    if (place === undefined) return;
    clearTimeout(place.patience);
    places.delete(peer);
    const others = ofCaller.get(place.caller);
    others?.delete(peer);
    if (others?.size === 0) ofCaller.delete(place.caller);
  };
  const wait = (place: Place): NodeJS.Timeout => {
    const timer = setTimeout(() => place.socket.destroy(), patienceMs);
    timer.unref();
    return timer;
  };
  /** Ends the one of these that has been silent longest; false when none is. */
  const makeWay = (peers: Iterable<string>): boolean => {
    for (const peer of peers) {
      const place = places.get(peer);
      if (place === undefined || place.trusted || place.calls > 0) continue;
      leave(peer);
      place.socket.destroy();
      return true;
    }
    return false;
  };

  return {
    admit(socket) {
      // Gone before we looked: it has no address any more.
      if (socket.remoteAddress === undefined) {
        socket.destroy();
        return false;
      }
      const peer = `${socket.remoteAddress}:${socket.remotePort}`;
      const caller = callerOf(peer);
      const others = ofCaller.get(caller);
      const crowded = others !== undefined && others.size >= mostOfAddress && !makeWay(others);
      if (crowded || (places.size >= most && !makeWay(places.keys()))) {
        socket.destroy();
        return false;
      }
      const place: Place = { socket, caller, calls: 0, trusted: false, patience: undefined };
      place.patience = wait(place);
      places.set(peer, place);
      ofCaller.set(caller, (ofCaller.get(caller) ?? new Set()).add(peer));
      socket.once('close', () => {
        if (places.get(peer) === place) leave(peer);
      });
      return true;
    },
    hold(peer) {
      const place = places.get(peer);
      if (place === undefined) return () => {};
      clearTimeout(place.patience);
      place.calls += 1;
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        place.calls -= 1;
        if (place.calls === 0 && !place.trusted && places.get(peer) === place) place.patience = wait(place);
      };
    },
    trust(peer) {
      const place = places.get(peer);
      if (place === undefined) return;
      place.trusted = true;
      clearTimeout(place.patience);
    },
    open: () => places.size,
    endSilent() {
      for (const { socket, calls, trusted } of places.values()) if (calls === 0 && !trusted) socket.destroy();
    },
    close() {
      for (const { socket } of places.values()) socket.destroy();
    },
  };
}
