/** What a server of HTTP/2 said, in a form that does not depend on time: frames by their streams. */
import { fieldsIn, frameTypes, framesIn } from "../../support/http2-frames.ts";
import type { Frame } from "../../support/http2-frames.ts";

const names = Object.fromEntries(Object.entries(frameTypes).map(([name, type]) => [type, name]));

/** The index of `date` in the static table (RFC 7541, appendix A). */
const date = "#33";

/** In order, but for windows, which are granted as bytes happen to come: they are added up. Data are joined. */
export function framesByStream(received: string): Record<number, string[]> {
  const streams: Record<number, string[]> = {};
  const windows: Record<number, number> = {};
  for (const frame of framesIn(Buffer.from(received, "latin1"))) {
    const { type, stream } = frame;
    const told = (streams[stream] ??= []);
    if (type === frameTypes.windowUpdate) windows[stream] = (windows[stream] ?? 0) + frame.payload.readUInt32BE(0);
    else if (type === frameTypes.data) join(told, frame);
    else told.push(`${names[type] ?? type} ${frame.flags} ${contentOf(frame)}`);
  }
  for (const [stream, window] of Object.entries(windows)) streams[Number(stream)]?.push(`windows ${window}`);
  return streams;
}

function contentOf(frame: Frame): string {
  const hasFields = frame.type === frameTypes.headers || frame.type === frameTypes.push;
  if (!hasFields) return frame.payload.toString("hex");
  const fields = fieldsIn(frame).filter(([name]) => name !== date);
  const promised = frame.type === frameTypes.push ? `${frame.payload.readUInt32BE(0)} ` : "";
  return promised + JSON.stringify(fields);
}

function join(told: string[], { payload, flags }: Frame): void {
  const last = told.at(-1);
  const before = last?.startsWith("data 0 ") === true ? (told.pop() ?? "").slice("data 0 ".length) : "";
  told.push(`data ${flags} ${before}${payload.toString("latin1")}`);
}
