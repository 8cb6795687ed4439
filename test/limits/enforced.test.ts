import assert from "node:assert/strict";
import { test } from "node:test";
import { requireEnforced } from "../../src/limits/enforced.ts";
import { makeSafetyLimits, makeUnlimitedSafetyLimits } from "../../src/limits/safety-limits.ts";
import type { SafetyLimitName, SafetyLimitsOptions } from "../../src/limits/safety-limits.ts";
import { names, table } from "./table.ts";
import type { Contract } from "./table.ts";

/** For each kind of limit a value of one's own. */
const own: Record<Contract, unknown> = {
  "positive count": 7,
  count: 7,
  "finite count": 7,
  size: 7,
  time: 7,
  "finite time": 7,
  "time or null": 7,
  rate: 7,
  "count per time": 7,
};

function setting(name: SafetyLimitName): SafetyLimitsOptions {
  return { [name]: own[table[name].contract] };
}

test("limits at their defaults, safe or unlimited, start any server", () => {
  requireEnforced(makeSafetyLimits(), new Set(), "a server");
  requireEnforced(makeUnlimitedSafetyLimits(), new Set(), "a server");
});

test("each limit that is set and not enforced is refused by name, and accepted where it is enforced", () => {
  for (const name of names) {
    for (const limits of [makeSafetyLimits(setting(name)), makeUnlimitedSafetyLimits(setting(name))]) {
      assert.throws(() => requireEnforced(limits, new Set(), "serve"), {
        name: "LimitNotEnforcedError",
        code: "ERR_PORTREEVE_LIMIT_NOT_ENFORCED",
        limit: name,
        message: `safetyLimits.${name}: serve does not enforce this limit; leave it at its default`,
      });
      requireEnforced(limits, new Set([name]), "serve");
    }
  }
});

test("parts that follow from fields and files count as not set", () => {
  const limits = makeSafetyLimits({ maxFormDataFields: 5 });
  requireEnforced(limits, new Set(["maxFormDataFields"]), "serve");
});
