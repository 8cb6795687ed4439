/** What the programs of the shutdown matrix share. */

/** What the program of a server has come to. */
export interface Scene {
  /** Requests, or sockets of a protocol without requests, that it has begun to serve. */
  begun: number;
}

/** More than the kernel takes for a client that does not read. */
export const muchMoreThanFits = Buffer.alloc(16 * 2 ** 20);
