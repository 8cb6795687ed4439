/**
 * The wait queue: accepted sockets that wait for a permit, first come first served, each with a deadline. A waiter is
 * not yet a connection. One that goes away leaves the queue; one that has sent something and then ended stays, because
 * an answer may be due.
 */
import type { Socket } from "node:net";
import type { TimerManager } from "../timers/timer-manager.ts";
import type { Timer } from "../timers/timer.ts";

interface Waiter {
  readonly socket: Socket;
  readonly admit: () => void;
  readonly stop: () => void;
}

export class WaitQueue {
  readonly #timers: TimerManager;
  readonly #timeout: number;
  readonly #waiters: Set<Waiter> = new Set();

  /** @param timeout milliseconds that a socket may wait */
  constructor(timers: TimerManager, timeout: number) {
    this.#timers = timers;
    this.#timeout = timeout;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Lets a socket wait. Exactly one of `admit` and `refuse` is called, or neither when it goes away. */
  add(socket: Socket, admit: () => void, refuse: () => void): void {
    const leave = (): void => {
      waiter.stop();
      socket.destroy();
    };
    const timer: Timer = this.#timers.start(this.#timeout, () => {
      waiter.stop();
      refuse();
    });
    const waiter: Waiter = {
      socket,
      admit,
      stop: () => {
        timer.cancel();
        socket.off("end", leave);
        socket.off("close", leave);
        this.#waiters.delete(waiter);
      },
    };
    this.#waiters.add(waiter);
    socket.on("end", leave);
    socket.on("close", leave);
  }

  /** Admits the one that has waited longest. @returns false when nobody waits */
  admitNext(): boolean {
    for (const waiter of this.#waiters) {
      waiter.stop();
      waiter.admit();
      return true;
    }
    return false;
  }

  /** Takes everybody out, and gives back their sockets. */
  clear(): Socket[] {
    const waiters = [...this.#waiters];
    for (const waiter of waiters) waiter.stop();
    return waiters.map((waiter) => waiter.socket);
  }
}
