/**
 * What `portreeve.config.json` may say: its shape, for reading and, as JSON Schema, for editors. The values are checked
 * by the library, as everything else that is set.
 */
import { makeSafetyLimits, safetyLimitNames } from "portreeve";
import type { SafetyLimitName } from "portreeve";
import * as v from "valibot";
import { defaultOf } from "./limits.ts";

const amount = (what: string) => v.union([v.pipe(v.number(), v.minValue(0, what)), v.string()], what);
const time = amount('milliseconds, or a text such as "30s"');
const size = amount('bytes, or a text such as "1 MiB"');
const count = amount('a number, or "Infinity"');
const isTime = /(?:Timeout|Period|Age|Interval)$/;
const isSize = /(?:Bytes|Length|Threshold)$/;

function limitSchema(name: SafetyLimitName) {
  const byDefault = makeSafetyLimits()[name];
  if (byDefault === null) return v.nullable(time);
  if (typeof byDefault !== "object") return isTime.test(name) ? time : isSize.test(name) ? size : count;
  return "grace" in byDefault
    ? v.union(
        [v.number(), v.string(), v.strictObject({ bytesPerSecond: size, grace: v.optional(time) })],
        'bytes a second, or { "bytesPerSecond": 240, "grace": "5s" }',
      )
    : v.union(
        [v.number(), v.string(), v.strictObject({ count, per: v.optional(time) })],
        'a number, or { "count": 200, "per": "30s" }',
      );
}

const described = <S extends v.GenericSchema>(schema: S, description: string) =>
  v.optional(v.pipe(schema, v.description(description)));

const limits = Object.fromEntries(
  safetyLimitNames.map((name) => [name, described(limitSchema(name), `By default ${defaultOf(name)}.`)]),
);

export const configSchema = v.strictObject(
  {
    $schema: v.optional(v.string("a string")),
    limits: described(v.strictObject(limits, "an object"), "Safety limits by name; docs/limits.md has them all."),
    grace: described(time, "How long work in flight may take when the process is told to end. By default 25s."),
    drainDelay: described(time, "How long everything is still served before that. By default 0."),
    exclude: described(
      v.array(
        v.pipe(v.number("a port"), v.integer("a port"), v.minValue(1, "a port"), v.maxValue(65_535, "a port")),
        "a list of ports",
      ),
      "Ports whose servers are left alone.",
    ),
    observeOnly: described(v.boolean("true or false"), "Limits cut nothing, and it is said what they would have done."),
  },
  "a JSON object",
);

export type Config = v.InferOutput<typeof configSchema>;
