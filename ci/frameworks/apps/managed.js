// An app that manages its own server: `node managed.js express`.
import { channel } from "node:diagnostics_channel";
import { manage } from "portreeve";

channel("tracing:net.server.listen:asyncStart").subscribe(({ server }) => {
  const managed = manage(server);
  process.once("SIGTERM", async () => console.log(JSON.stringify(await managed.drain({ grace: "5s" }))));
});
await import(`./${process.argv[2]}.js`);
