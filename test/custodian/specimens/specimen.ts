/**
 * What a specimen of a resource is: one that lives, and how it ends without a custodian.
 */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import type { PassThrough, Readable } from "node:stream";
import { listening } from "../support.ts";

/** One resource, alive. */
export interface Specimen {
  resource: object;
  hasEnded: () => boolean;
  /** Ends it without the custodian, and settles when it has said so. */
  endByItself: () => unknown;
  /** What the test has to put away besides. */
  cleanUp?: () => unknown;
}

export interface Case {
  /** What it is, where the name of the kind does not say it. */
  what?: string;
  kind: string;
  make: () => Specimen | Promise<Specimen>;
  /** It says nothing when it ends, and stays until someone looks or the shutdown comes. */
  quiet?: boolean;
  /** Once it has ended it cannot be told from one that has not. */
  mute?: boolean;
  /** It has ended when the custodian says so, but can be seen to only a turn later. */
  tellsLater?: boolean;
}

export function streamSpecimen(resource: Readable | PassThrough | Socket, cleanUp?: () => unknown): Specimen {
  return {
    resource,
    hasEnded: () => resource.destroyed,
    endByItself: () => once(resource.destroy(), "close"),
    ...(cleanUp === undefined ? {} : { cleanUp }),
  };
}

export async function serverSpecimen(resource: Server): Promise<Specimen> {
  await listening(resource);
  return { resource, hasEnded: () => !resource.listening, endByItself: () => once(close(resource), "close") };
}

export function close<T extends { close(): unknown }>(resource: T): T {
  resource.close();
  return resource;
}

/** For resources that refuse to work once they have ended, and say so in no other way. */
export function fails(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch {
    return true;
  }
}
