/**
 * Frames of HTTP/2 written by hand (RFC 9113), and read back.
 */
export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

const flags = { ack: 1, endStream: 1, endHeaders: 4 } as const;

export const preface: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

export function frame(
  type: number,
  { flags: bits = 0, stream = 0, payload = Buffer.alloc(0) }: Partial<Omit<Frame, "type">> = {},
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = bits;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function settings(values: Record<number, number> = {}): Buffer {
  const payload = Buffer.concat(
    Object.entries(values).map(([id, value]) => {
      const pair = Buffer.alloc(6);
      pair.writeUInt16BE(Number(id), 0);
      pair.writeUInt32BE(value, 2);
      return pair;
    }),
  );
  return frame(frameTypes.settings, { payload });
}

export const settingsAck: Buffer = frame(frameTypes.settings, { flags: flags.ack });

export function ping(): Buffer {
  return frame(frameTypes.ping, { payload: Buffer.alloc(8) });
}

export function reset(stream: number, code: number): Buffer {
  return frame(frameTypes.reset, { stream, payload: number32(code) });
}

export function windowUpdate(stream: number, by: number): Buffer {
  return frame(frameTypes.windowUpdate, { stream, payload: number32(by) });
}

/** HEADERS with each pair as a literal that is not indexed and not compressed (RFC 7541, section 6.2.2). */
export function request(stream: number, { path = "/", method = "GET", end = true, headers = {} } = {}): Buffer {
  return head(stream, { ":method": method, ":scheme": "http", ":path": path, ":authority": "x", ...headers }, end);
}

/** The trailers of a request, and its end. */
export function trailers(stream: number, fields: Record<string, string>): Buffer {
  return head(stream, fields, true);
}

function head(stream: number, fields: Record<string, string>, end: boolean): Buffer {
  const payload = Buffer.concat(Object.entries(fields).map(([name, value]) => literal(name, value)));
  return frame(frameTypes.headers, { flags: flags.endHeaders | (end ? flags.endStream : 0), stream, payload });
}

export function data(stream: number, payload: Buffer | string, end = false): Buffer {
  return frame(frameTypes.data, { stream, payload: Buffer.from(payload), flags: end ? flags.endStream : 0 });
}

/** The whole frames in what was received. */
export function framesIn(received: Buffer): Frame[] {
  const found: Frame[] = [];
  for (let at = 0; at + 9 <= received.length;) {
    const length = received.readUIntBE(at, 3);
    if (at + 9 + length > received.length) break;
    found.push({
      type: received[at + 3] ?? 0,
      flags: received[at + 4] ?? 0,
      stream: received.readUInt32BE(at + 5) & 0x7fffffff,
      payload: received.subarray(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return found;
}

/** GOAWAY frames, as "last stream, code". */
export function goaways(received: Buffer): string[] {
  return framesIn(received)
    .filter(({ type }) => type === frameTypes.goaway)
    .map(({ payload }) => `last ${payload.readUInt32BE(0)}, code ${payload.readUInt32BE(4)}`);
}

/**
 * The status in a head of a response, whose encoder was told to use no table of its own (SETTINGS_HEADER_TABLE_SIZE 0): an
 * index of the static table, or a literal, which no statuses gain from compressing (RFC 7541, sections 6.1, 6.2 and A).
 */
export function statusIn({ payload }: Frame): number | undefined {
  let at = 0;
  // Updates of the table's size.
  while (((payload[at] ?? 0) & 0xe0) === 0x20) at++;
  const first = payload[at] ?? 0;
  if (first >= 0x80) return [200, 204, 206, 304, 400, 404, 500][(first & 0x7f) - 8];
  const isStatus = (first & 0x0f) === 8 && payload[at + 1] === 3;
  return isStatus ? Number(payload.toString("latin1", at + 2, at + 5)) : undefined;
}

/**
 * The fields of a head, each by its name and value as they were sent: compressed, or an index of the static table with a #.
 * Its encoder was told to use no table of its own.
 */
export function fieldsIn({ type, payload }: Frame): [name: string, value: string][] {
  const fields: [string, string][] = [];
  // Before the head that is pushed, the stream on which it will be.
  let at = type === frameTypes.push ? 4 : 0;
  const number = (prefix: number): number => {
    const most = (1 << prefix) - 1;
    let value = (payload[at++] ?? 0) & most;
    if (value < most) return value;
    for (let shift = 0, more = true; more; shift += 7) {
      const next = payload[at++] ?? 0;
      value += (next & 0x7f) << shift;
      more = next >= 0x80;
    }
    return value;
  };
  const word = (): string => {
    const length = number(7);
    return payload.toString("latin1", at, (at += length));
  };
  while (at < payload.length) {
    const first = payload[at] ?? 0;
    if (first >= 0x80) fields.push([`#${number(7)}`, ""]);
    else if ((first & 0xe0) === 0x20) number(5);
    else {
      const index = number(first >= 0x40 ? 6 : 4);
      fields.push([index === 0 ? word() : `#${index}`, word()]);
    }
  }
  return fields;
}

function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0), text(name), text(value)]);
}

/** A length with a prefix of seven bits (RFC 7541, section 5.1), and the text. */
function text(value: string): Buffer {
  const bytes: number[] = [];
  let rest = value.length;
  if (rest < 127) bytes.push(rest);
  else {
    bytes.push(127);
    for (rest -= 127; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
    bytes.push(rest);
  }
  return Buffer.concat([Buffer.from(bytes), Buffer.from(value, "latin1")]);
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
