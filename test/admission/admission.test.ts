import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { Admission } from "../../src/admission/admission.ts";
import { makeSafetyLimits } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { TimerManager } from "../../src/timers/timer-manager.ts";

/** What admission needs of a socket. */
class FakeSocket extends EventEmitter {
  destroyed = false;
  destroy(): this {
    this.destroyed = true;
    return this;
  }
}

function begin(maxConcurrent: number, maxWaiting: number, waitTimeout: number | string = "10s") {
  const clock = new ManualClock();
  /** Those who have a permit. */
  const served = new Set<unknown>();
  const order: unknown[] = [];
  const refused: unknown[] = [];
  const admission = new Admission(
    makeSafetyLimits({ maxConcurrent, maxWaiting, waitTimeout }),
    new TimerManager({ clock }),
    {
      admitted: (socket: unknown) => {
        served.add(socket);
        order.push(socket);
      },
      refused: (socket: unknown) => void refused.push(socket),
    },
  );
  const arrive = (): FakeSocket => {
    const socket = new FakeSocket();
    admission.request(socket as unknown as Socket);
    return socket;
  };
  const release = (socket: unknown): void => {
    if (served.delete(socket)) admission.takeBack();
  };
  return { clock, admission, served, order, refused, arrive, release };
}

test("the ones who wait are admitted in the order in which they came", () => {
  const { admission, order, arrive, release } = begin(2, 10);
  const sockets = Array.from({ length: 6 }, arrive);
  assert.equal(admission.served, 2);
  assert.equal(admission.waiting, 4);
  for (const socket of sockets.slice(0, 4)) release(socket);
  assert.deepEqual(order, sockets);
  assert.equal(admission.waiting, 0);
});

test("closing refuses all who wait and all who come", () => {
  const { admission, refused, arrive } = begin(1, 10);
  arrive();
  const waiting = [arrive(), arrive()];
  assert.equal(admission.close(), 2);
  const late = arrive();
  assert.deepEqual(refused, [...waiting, late]);
  assert.equal(admission.waiting, 0);
});

test("over random histories nobody is served beyond the maximum, kept waiting beside a free permit, or lost", () => {
  const event = fc.record({
    do: fc.constantFrom("arrive", "release", "leave", "advance"),
    which: fc.nat({ max: 20 }),
  });
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 80 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 5 }),
      (history, maxConcurrent, maxWaiting) => {
        const { clock, admission, served, order, refused, arrive, release } = begin(maxConcurrent, maxWaiting, "5s");
        const sockets: FakeSocket[] = [];
        let left = 0;
        for (const { do: what, which } of history) {
          const socket = sockets[which % Math.max(1, sockets.length)];
          if (what === "arrive") sockets.push(arrive());
          else if (what === "advance") clock.advance(which * 200);
          else if (socket !== undefined && what === "release") release(socket);
          else if (socket !== undefined && what === "leave" && !order.includes(socket) && !refused.includes(socket)) {
            if (!socket.destroyed) left++;
            socket.emit("end");
          }
          assert.ok(admission.served <= maxConcurrent);
          assert.ok(admission.waiting <= maxWaiting);
          if (admission.waiting > 0) assert.equal(admission.served, maxConcurrent);
          assert.equal(admission.served, served.size);
          assert.equal(sockets.length, order.length + refused.length + left + admission.waiting);
          assert.equal(new Set([...order, ...refused]).size, order.length + refused.length);
        }
      },
    ),
  );
});
