/** A certificate for 127.0.0.1 that nobody signed, made once a process. */
import { generate } from "selfsigned";

export interface KeyPair {
  key: string;
  cert: string;
}

let made: Promise<KeyPair> | undefined;

export function certificate(): Promise<KeyPair> {
  made ??= generate([{ name: "commonName", value: "localhost" }], { keyType: "ec" }).then((pair) => ({
    key: pair.private,
    cert: pair.cert,
  }));
  return made;
}
