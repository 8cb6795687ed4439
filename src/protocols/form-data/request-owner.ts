/**
 * Who owns what a request holds: a custodian that is shut down when the exchange is over. Where its server is under a
 * manager, that of the request; elsewhere, one of ours.
 */
import { subscribe } from "node:diagnostics_channel";
import type { Readable } from "node:stream";
import { isIncomingMessage } from "../../core/node-modules.ts";
import { findRequest, knownAs } from "../../connection/managed-request.ts";
import type { ManagedRequest } from "../../connection/managed-request.ts";
import type { Custodian } from "../../custodian/custodian.ts";
import { makeCustodian } from "../../custodian/make-custodian.ts";
import { makeSafetyLimits } from "../../limits/safety-limits.ts";
import { FormLimits } from "./form-limits.ts";
import type { FormLimitName } from "./form-limits.ts";

export interface RequestOwner {
  readonly custodian: Custodian;
  /** Those of the request's manager, where it has one; else the safe defaults. */
  readonly limits: FormLimits;
}

const owners = new WeakMap<object, RequestOwner>();
let isWatching = false;

/** The same owner each time it is asked. */
export function requestOwner(request: Readable): RequestOwner {
  const managed = findRequest(request);
  if (managed !== undefined) return { custodian: managed.custodian, limits: limitsOf(managed, request) };
  const known = owners.get(request);
  if (known !== undefined) return known;
  const custodian = makeCustodian(null, { name: "request" });
  const owner = { custodian, limits: new FormLimits(makeSafetyLimits(), null) };
  owners.set(request, owner);
  const end = (): void => void custodian.shutdownAll("the request has ended");
  if (isIncomingMessage(request)) {
    // Its own 'close' comes when the body was read, long before the answer.
    watchResponses();
    const { socket } = request;
    socket.once("close", end);
    custodian.defer(() => socket.off("close", end));
    if (socket.destroyed) end();
  } else {
    const stream = (request as { stream?: Readable }).stream ?? request;
    stream.once("close", end);
    if (stream.destroyed) end();
  }
  return owner;
}

function limitsOf({ connection }: ManagedRequest, request: Readable): FormLimits {
  const { safetyLimits, observeOnly } = connection.manager;
  const spare = (limit: FormLimitName): void => void connection.mayCut("limit", limit, knownAs(request));
  return new FormLimits(safetyLimits, observeOnly ? spare : null);
}

/** Node tells of each response that was sent, and of its request. */
function watchResponses(): void {
  if (isWatching) return;
  isWatching = true;
  subscribe("http.server.response.finish", (message) => {
    const { request } = message as { request: object };
    void owners.get(request)?.custodian.shutdownAll("the request has ended");
  });
}
