/**
 * One living specimen of every kind of resource.
 */
import { disposableCases } from "./disposables.ts";
import { fileCases } from "./files.ts";
import { http1Cases } from "./http1.ts";
import { http2Cases } from "./http2.ts";
import { socketCases } from "./sockets.ts";
import { streamCases } from "./streams.ts";
import { timerCases } from "./timers.ts";
import { workerCases } from "./workers.ts";
import type { Case } from "./specimen.ts";

export const cases: readonly Case[] = [
  ...socketCases,
  ...http1Cases,
  ...http2Cases,
  ...streamCases,
  ...fileCases,
  ...workerCases,
  ...timerCases,
  ...disposableCases,
];
