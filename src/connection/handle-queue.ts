/**
 * The one private property of Node that the library reads, guarded: how much of a write the kernel has not taken yet.
 * No public value shows the progress of one large write. Where the property is missing the answer is 0, and progress is
 * seen write by write.
 */
interface WithHandle {
  _handle?: { writeQueueSize?: unknown } | null;
}

export function handleQueue(socket: object): number {
  const queued = (socket as WithHandle)._handle?.writeQueueSize;
  return typeof queued === "number" ? queued : 0;
}
