import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import * as ours from "../../src/index.ts";
import { makePortPair } from "../../src/testing/index.ts";
import { compiledRoot, compiledSource } from "../support/paths.ts";

// A second copy of the package, as a program gets one whose dependencies bring their own.
const folder = mkdtempSync(join(compiledRoot, "copy-"));
cpSync(compiledSource, folder, { recursive: true });
after(() => rmSync(folder, { recursive: true }));
const theirs = (await import(pathToFileURL(join(folder, "index.js")).href)) as typeof ours;

test("connections and managers are recognised by every copy of the package", async () => {
  assert.notEqual(theirs.newConnection, ours.newConnection);
  const manager = theirs.startConnectionManager();
  const { server, client } = makePortPair();
  client.resume().on("end", () => client.end());
  const connection = theirs.newConnection(manager, server, server, theirs.makeCustodian(null), false);
  assert.equal(ours.isConnectionManager(manager), true);
  assert.equal(ours.isConnection(connection), true);
  assert.equal(ours.connectionOf(server), connection);
  assert.equal(ours.resetConnectionTimeout(connection, "10s"), true);
  ours.killConnection(connection);
  assert.equal(await connection.closed, "killed");
});

test("a manager, limits and custodian of one copy serve another", async () => {
  const manager = theirs.startConnectionManager({ safetyLimits: ours.makeSafetyLimits({ requestReadTimeout: "7s" }) });
  const custodian = ours.makeCustodian(null);
  const { server, client } = makePortPair();
  client.resume().on("end", () => client.end());
  const connection = ours.newConnection(manager, server, server, custodian, false);
  assert.equal(manager.safetyLimits.requestReadTimeout, 7000);
  await custodian.shutdownAll();
  assert.equal(await connection.closed, "owner-shutdown");
});
