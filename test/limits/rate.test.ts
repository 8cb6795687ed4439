import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { RateMeter } from "../../src/limits/rate.ts";

const rate = { bytesPerSecond: 240, grace: 5000 };

test("nobody is judged before the grace period is over", () => {
  const meter = new RateMeter(rate);
  for (let waited = 0; waited < 4900; waited += 100) assert.equal(meter.observe(0, 100), true);
  assert.equal(meter.observe(0, 100), false);
});

test("a client that keeps the pace exactly is fast enough, and one byte less is not", () => {
  assert.equal(new RateMeter(rate).observe(1200, 5000), true);
  assert.equal(new RateMeter(rate).observe(1199, 5000), false);
});

test("a burst buys one more period at most", () => {
  const meter = new RateMeter(rate);
  assert.equal(meter.observe(1_000_000, 5000), true);
  assert.equal(meter.observe(0, 5000), true);
  assert.equal(meter.observe(0, 5000), false);
});

test("a client at the pace passes though its bytes are seen in steps of up to a period's worth", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1200 }), fc.integer({ min: 50, max: 1000 }), (step, every) => {
      const meter = new RateMeter(rate);
      // What the kernel took at first is seen at once.
      let seen = step;
      assert.equal(meter.observe(step, 0), true);
      for (let time = every; time < 60_000; time += every) {
        const taken = step + Math.floor((time * rate.bytesPerSecond) / 1000 / step) * step;
        assert.equal(meter.observe(taken - seen, every), true, `at ${time} ms`);
        seen = taken;
      }
    }),
  );
});

test("where progress is seen in steps, a client at the pace passes whatever their size, for as long as a step may help", () => {
  const longest = 60_000;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 240 * 60 }), fc.integer({ min: 50, max: 1000 }), (step, every) => {
      const meter = new RateMeter(rate, longest);
      let seen = step;
      assert.equal(meter.observe(step, 0), true);
      for (let time = every; time < 200_000; time += every) {
        const taken = step + Math.floor((time * rate.bytesPerSecond) / 1000 / step) * step;
        assert.equal(meter.observe(taken - seen, every), true, `at ${time} ms`);
        seen = taken;
      }
    }),
  );
});

test("a step that is seen piece by piece lasts like one that is seen at once", () => {
  const longest = 60_000;
  const sizes = fc.integer({ min: 2400, max: 240 * 60 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 50, max: 200 }), (step, pieces, every) => {
      const meter = new RateMeter(rate, longest);
      const period = (step * 1000) / rate.bytesPerSecond;
      const taken = (time: number): number => {
        const [steps, into] = [Math.floor(time / period), time % period];
        return Math.floor(step * (steps + Math.min(1, (1 + Math.floor(into / every)) / pieces)));
      };
      let seen = 0;
      for (let time = 0; time < 200_000; time += every) {
        assert.equal(meter.observe(taken(time) - seen, time === 0 ? 0 : every), true, `at ${time} ms`);
        seen = taken(time);
      }
    }),
  );
});

test("a step helps for as long as the rate gives it, and no longer than it may", () => {
  for (const [step, seconds] of [
    [240 * 30, 30],
    [1_000_000, 60],
  ] as const) {
    const meter = new RateMeter(rate, 60_000);
    meter.observe(step, 0);
    let time = 0;
    while (meter.observe(0, 1000)) time++;
    // The first period is judged by all of the step.
    assert.ok(time >= seconds && time < seconds + 2 * 5, `${time} s for ${step} bytes`);
  }
});

test("what seemed to have been taken and was not is taken back", () => {
  const meter = new RateMeter(rate, 60_000);
  meter.observe(100_000, 0);
  assert.equal(meter.isAhead, true);
  meter.takeBack(99_000);
  assert.equal(meter.observe(0, 4999), true);
  assert.equal(meter.isAhead, false);
  assert.equal(meter.observe(0, 1), false);
});

test("what the first windows have judged is not taken back: who was fast until it paused is given its time", () => {
  const meter = new RateMeter(rate, 60_000);
  for (let second = 0; second < 11; second++) assert.equal(meter.observe(2_000_000, 1000), true);
  meter.takeBack(2_500_000);
  for (let second = 0; second < 50; second++) assert.equal(meter.observe(0, 1000), true, `after ${second} s`);
});

test("after a restart the grace period begins anew", () => {
  const meter = new RateMeter(rate);
  meter.observe(0, 4999);
  meter.restart();
  assert.equal(meter.observe(0, 4999), true);
  assert.equal(meter.observe(0, 1), false);
});

test("a rate of 0 judges nobody", () => {
  const meter = new RateMeter({ bytesPerSecond: 0, grace: 5000 });
  for (let period = 0; period < 10; period++) assert.equal(meter.observe(0, 10_000), true);
});

const rates = fc.record({
  bytesPerSecond: fc.integer({ min: 1, max: 10_000 }),
  grace: fc.integer({ min: 1, max: 10_000 }),
});
const steps = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 100 });

test("whoever is always at or above the rate passes, however it is observed", () => {
  fc.assert(
    fc.property(rates, steps, (limit, history) => {
      const meter = new RateMeter(limit);
      for (const ms of history) assert.equal(meter.observe(Math.ceil((limit.bytesPerSecond * ms) / 1000), ms), true);
    }),
  );
});

test("whoever is always below the rate is caught within one period and one observation", () => {
  fc.assert(
    fc.property(rates, steps, (limit, history) => {
      const meter = new RateMeter(limit);
      let waited = 0;
      for (const ms of history) {
        const fastEnough = meter.observe(Math.ceil((limit.bytesPerSecond * ms) / 1000) - 1, ms);
        waited += ms;
        assert.equal(fastEnough, waited < limit.grace);
        if (!fastEnough) return;
      }
    }),
  );
});

test("time that we did not wait for the client does not count", () => {
  fc.assert(
    fc.property(rates, steps, (limit, history) => {
      const meter = new RateMeter(limit);
      for (const bytes of history) assert.equal(meter.observe(bytes, 0), true);
    }),
  );
});
