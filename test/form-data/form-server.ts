/**
 * An HTTP server that reads forms and says what it read, in a folder for temporary files of its own. When the test ends
 * that folder must be empty, and every descriptor closed.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { FormDataError, parseFormData } from "../../src/protocols/form-data/form-data.ts";
import type { FormDataFile, ParsedFormData } from "../../src/protocols/form-data/form-data.ts";
import type { SafetyLimitsOptions } from "../../src/index.ts";
import { until } from "../support/rounds.ts";
import { connectTo } from "../support/tcp-client.ts";
import type { TcpClient } from "../support/tcp-client.ts";

/** What fetch takes as a body. */
export type Body = NonNullable<ConstructorParameters<typeof Response>[0]>;

/** A file as the tests compare it. */
export interface SeenFile {
  filename: string;
  type: string;
  content: string;
  isOnDisk: boolean;
}

export type Seen = [name: string, value: string | SeenFile][];

export interface FormServer {
  readonly port: number;
  readonly url: string;
  readonly http: Server;
  /** Where temporary files go. */
  readonly folder: string;
  /** What became of each form, in the order in which that was known. */
  readonly outcomes: (Seen | Error)[];
  /** Waits for that many outcomes. */
  outcome(number: number): Promise<Seen | Error>;
  /** Sends a body, and gives back what was read, or the status and the limit. */
  post(body: Body, contentType?: string): Promise<Seen | string>;
  connect(): Promise<TcpClient>;
  /** Waits until no temporary file is left, as it must be soon after each request. */
  empty(): Promise<void>;
}

export interface FormServerOptions {
  safetyLimits?: SafetyLimitsOptions;
  /** What is done with the form before it is answered. */
  use?: (form: ParsedFormData, request: IncomingMessage) => unknown;
}

export async function startFormServer(t: TestContext, options: FormServerOptions = {}): Promise<FormServer> {
  const folder = temporaryFolder(t, async () => {
    const closed = new Promise((resolve) => http.close(resolve));
    for (const { socket } of clients) socket.destroy();
    http.closeAllConnections();
    await closed;
  });
  const clients: TcpClient[] = [];
  const outcomes: (Seen | Error)[] = [];
  const http = createServer((request, response) => void answer(request, response));
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const form = await parseFormData(request, { safetyLimits: options.safetyLimits ?? {} });
      await options.use?.(form, request);
      const seen = await see(form);
      outcomes.push(seen);
      response.end(JSON.stringify(seen));
    } catch (error) {
      outcomes.push(error as Error);
      const [status, limit] = error instanceof FormDataError ? [error.status, error.limit] : [500, null];
      response.writeHead(status, { Connection: "close" }).end(`${status}${limit === null ? "" : ` ${limit}`}`);
    }
  }
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;
  return {
    port,
    url,
    http,
    folder,
    outcomes,
    async outcome(number) {
      await until(() => outcomes.length >= number);
      return outcomes[number - 1] as Seen | Error;
    },
    async post(body, contentType) {
      const headers = contentType === undefined ? {} : { "content-type": contentType };
      const response = await fetch(url, { method: "POST", body, headers });
      const text = await response.text();
      return response.ok ? (JSON.parse(text) as Seen) : text;
    },
    async connect() {
      const client = await connectTo(t, port);
      clients.push(client);
      return client;
    },
    empty: () => until(() => readdirSync(folder).length === 0),
  };
}

/** Makes a folder the one for temporary files; it must be empty, and no descriptor more open than now, after the test. */
export function temporaryFolder(t: TestContext, close: () => Promise<unknown>): string {
  const folder = mkdtempSync(join(tmpdir(), "portreeve-forms-"));
  const { TMPDIR } = process.env;
  process.env["TMPDIR"] = folder;
  const files = openFiles();
  t.after(async () => {
    await close();
    await until(() => readdirSync(folder).length === 0);
    await until(() => openFiles() <= files);
    rmSync(folder, { recursive: true });
    if (TMPDIR === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = TMPDIR;
  });
  return folder;
}

const descriptors = "/proc/self/fd";

/** How many descriptors this process has; where the system does not say, 0. */
export function openFiles(): number {
  return existsSync(descriptors) ? readdirSync(descriptors).length : 0;
}

export async function see(form: ParsedFormData): Promise<Seen> {
  const seen: Seen = [];
  for (const [name, value] of form) seen.push([name, typeof value === "string" ? value : await seeFile(value)]);
  return seen;
}

async function seeFile(file: FormDataFile): Promise<SeenFile> {
  const bytes = await file.bytes();
  assert.equal(bytes.length, file.size);
  const chunks: Buffer[] = [];
  for await (const chunk of file.stream()) chunks.push(chunk as Buffer);
  assert.deepEqual(Buffer.concat(chunks), Buffer.from(bytes));
  return {
    filename: file.filename,
    type: file.contentType,
    content: Buffer.from(bytes).toString("latin1"),
    isOnDisk: file.path !== null,
  };
}

/** A form as the standard reads it. */
export async function oracle(body: Body, contentType: string): Promise<Seen> {
  const form = await new Response(body, { headers: { "content-type": contentType } }).formData();
  const seen: Seen = [];
  for (const [name, value] of form) {
    if (typeof value === "string") seen.push([name, value]);
    else {
      const content = Buffer.from(await value.arrayBuffer()).toString("latin1");
      seen.push([name, { filename: value.name, type: value.type, content, isOnDisk: false }]);
    }
  }
  return seen;
}

export const boundary = "----a-boundary-of-thirty-chars";
export const multipartType = `multipart/form-data; boundary=${boundary}`;
export const urlencodedType = "application/x-www-form-urlencoded";

/** One part: its header's lines, and its content. */
export type Part = readonly [header: string, content: string | Buffer];

export function multipart(parts: readonly Part[], end = `--${boundary}--\r\n`): Buffer {
  const pieces = parts.flatMap(([header, content]) => [
    Buffer.from(`--${boundary}\r\n${header}\r\n\r\n`),
    Buffer.from(content),
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...pieces, Buffer.from(end)]);
}

export function field(name: string, value: string): Part {
  return [`Content-Disposition: form-data; name="${name}"`, value];
}

export function file(name: string, content: string | Buffer): Part {
  const disposition = `Content-Disposition: form-data; name="${name}"; filename="${name}.bin"`;
  return [`${disposition}\r\nContent-Type: application/octet-stream`, content];
}

/** The head of a request with a form. */
export function head(length: number | "chunked", contentType: string = multipartType): string {
  const framing = length === "chunked" ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
  return `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: ${contentType}\r\n${framing}\r\n\r\n`;
}

/** What a rejection was: the status, and the limit. */
export function reason(outcome: Seen | Error | string): string {
  if (typeof outcome === "string") return outcome;
  if (outcome instanceof FormDataError) return `${outcome.status}${outcome.limit === null ? "" : ` ${outcome.limit}`}`;
  if (outcome instanceof Error) throw outcome;
  return "read";
}
