// A JavaScript program that imports the installed package; prints what it saw.
import { createServer } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { makeCustodian, newConnection, serve, startConnectionManager } from "portreeve";
import { makeCustodian as makeRoot } from "portreeve/custodian";
import { parseFormData } from "portreeve/form-data";
import "portreeve/register";
import { settingsFrom } from "portreeve/settings";
import { ManualClock, makePortPair } from "portreeve/testing";
import { startTimer, startTimerManager } from "portreeve/timers";

const clock = new ManualClock();
const manager = startConnectionManager({ clock });
const { server: port } = makePortPair();
const connection = newConnection(manager, "1s", port, port, makeCustodian(null), false);
let fired = false;
startTimer(startTimerManager({ clock }), "1s", () => {
  fired = true;
});
clock.advance("1s");

const server = await serve({
  port: 0,
  host: "127.0.0.1",
  readRequest: async ({ reader }) => {
    const line = await reader.line();
    return line === null ? null : { request: line, close: line === "quit" };
  },
  dispatch: ({ output }, line) => output.write(`${line}\n`),
});
const client = connect(server.port, "127.0.0.1");
client.write("hello\nquit\n");
const answer = await text(client);
await server.close();

// The package that multipart forms need is not installed here; the other kind does without.
const web = createServer(async (request, response) => {
  try {
    const form = await parseFormData(request);
    response.end(form.get("a"));
  } catch (error) {
    response.end(error.code);
  }
});
await new Promise((resolve) => web.listen(0, "127.0.0.1", resolve));
const multipart = new FormData();
multipart.append("a", "b");
const forms = [];
for (const body of [new URLSearchParams({ a: "b" }), multipart]) {
  const answered = await fetch(`http://127.0.0.1:${web.address().port}/`, { method: "POST", body });
  forms.push(await answered.text());
}
web.closeAllConnections();
web.close();

console.log(
  JSON.stringify({
    reason: connection.closeReason,
    fired,
    answer,
    same: makeRoot === makeCustodian,
    forms,
    grace: settingsFrom({ PORTREEVE_GRACE: "3s" }).grace,
    signals: process.listenerCount("SIGTERM"),
  }),
);
