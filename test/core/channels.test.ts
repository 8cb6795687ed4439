import assert from "node:assert/strict";
import diagnostics from "node:diagnostics_channel";
import { test } from "node:test";
import { channelNames, defineChannel } from "../../src/core/channels.ts";

test("an event is a diagnostics channel that anyone subscribes to by its name", () => {
  const event = defineChannel<{ fact: number }>("portreeve.test.happened");
  const heard: unknown[] = [];
  const listen = (message: unknown) => heard.push(message);
  assert.equal(event.name, "portreeve.test.happened");
  assert.equal(event.hasSubscribers, false);
  event.publish({ fact: 1 });
  diagnostics.subscribe("portreeve.test.happened", listen);
  assert.equal(event.hasSubscribers, true);
  event.publish({ fact: 2 });
  diagnostics.unsubscribe("portreeve.test.happened", listen);
  event.publish({ fact: 3 });
  assert.deepEqual(heard, [{ fact: 2 }]);
});

test("a subscriber may come before the event is defined", () => {
  const heard: unknown[] = [];
  const listen = (message: unknown) => heard.push(message);
  diagnostics.subscribe("portreeve.test.early", listen);
  defineChannel<{ fact: number }>("portreeve.test.early").publish({ fact: 1 });
  diagnostics.unsubscribe("portreeve.test.early", listen);
  assert.deepEqual(heard, [{ fact: 1 }]);
});

test("the names of all events can be listed, each once, in the order of their definition", () => {
  defineChannel("portreeve.test.first");
  defineChannel("portreeve.test.second");
  defineChannel("portreeve.test.first");
  const names = channelNames().filter((name) => /\.(first|second)$/.test(name));
  assert.deepEqual(names, ["portreeve.test.first", "portreeve.test.second"]);
});
