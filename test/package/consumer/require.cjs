// The same package by require, as CommonJS programs load it.
const { isConnectionManager, makeCustodian, startConnectionManager } = require("portreeve");
const { makeCustodian: makeRoot } = require("portreeve/custodian");
const { parseFormData } = require("portreeve/form-data");
require("portreeve/register");
const { settingsFrom } = require("portreeve/settings");
const { ManualClock } = require("portreeve/testing");
const { startTimer, startTimerManager } = require("portreeve/timers");
const { name } = require("portreeve/package.json");

const clock = new ManualClock();
let fired = false;
startTimer(startTimerManager({ clock }), "1s", () => {
  fired = true;
});
clock.advance("2s");

console.log(
  JSON.stringify({
    name,
    fired,
    manager: isConnectionManager(startConnectionManager()),
    same: makeRoot === makeCustodian,
    forms: typeof parseFormData,
    grace: settingsFrom({ PORTREEVE_GRACE: "3s" }).grace,
    signals: process.listenerCount("SIGTERM"),
  }),
);
