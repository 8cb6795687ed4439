// An echo over gRPC with grpc-js.
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const { Echo } = grpc.loadPackageDefinition(loader.loadSync(fileURLToPath(new URL("echo.proto", import.meta.url))));
const grpcServer = new grpc.Server();

grpcServer.addService(Echo.service, {
  say: ({ request }, reply) => reply(null, request),
  slow: ({ request }, reply) => setTimeout(() => reply(null, request), 300),
  never() {},
  chat(call) {
    call.on("data", (message) => call.write(message));
    call.on("end", () => call.end());
  },
  gather(call, reply) {
    let text = "";
    call.on("data", (message) => (text += message.text));
    call.on("end", () => reply(null, { text: String(text.length) }));
  },
});

grpcServer.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(`listening on ${port}`);
});
