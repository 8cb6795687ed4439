/**
 * The silence of a handler: it has begun its response, the client takes everything, and nothing more comes.
 */
import type { ServerResponse } from "node:http";
import { sentHead } from "../../core/node-internals.ts";
import type { Connection } from "../../connection/connection.ts";
import { silentTypes } from "../heads.ts";

const contentType = /^content-type: *(.*)/im;

export class Silence {
  /** The bytes sent, and when we first saw that there were so many. */
  #sent = -1;
  #since = 0;

  /** Whether nothing has been sent for `responseSendTimeout`, of what is not to be silent by its type. */
  isTooLong(response: ServerResponse, { bytesOut, manager }: Connection, now: number): boolean {
    if (bytesOut !== this.#sent) {
      this.#sent = bytesOut;
      this.#since = now;
      return false;
    }
    if (now - this.#since < manager.safetyLimits.responseSendTimeout) return false;
    const mayBeSilent = silentTypes.test(contentType.exec(sentHead(response))?.[1] ?? "");
    if (mayBeSilent) this.#since = Infinity;
    return !mayBeSilent;
  }
}
