/**
 * The WebSockets of the library ws, which most others bring along. Each hangs on its socket, under a symbol of its own copy
 * of the library: by that one is known whose handshake nobody has seen. It is judged by what it is, and only read.
 */

/** Whether the server's side of a WebSocket is on a socket: its frames are not masked. False where that cannot be known. */
export function hasWebSocket(socket: object): boolean {
  return Object.getOwnPropertySymbols(socket).some((key) =>
    isServerSide(Reflect.getOwnPropertyDescriptor(socket, key)?.value, socket),
  );
}

function isServerSide(value: unknown, socket: object): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { _socket, _isServer, readyState, ping, close } = value as Partial<Record<string, unknown>>;
  // A tunnel that a client has opened may carry a WebSocket that the program opens through it.
  if (_socket !== socket || _isServer !== true) return false;
  return typeof readyState === "number" && typeof ping === "function" && typeof close === "function";
}
