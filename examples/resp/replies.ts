/**
 * Replies in RESP2, as chunks to be written; text is one character a byte.
 */
export type Reply = readonly (Buffer | string)[];

/** Most of what a client sent is not repeated to it. */
const longestEcho = 128;

export const ok = "+OK\r\n";
export const nothing = "$-1\r\n";

export function simple(text: string): string {
  return `+${text}\r\n`;
}

/** Begins with a word for programs, such as ERR, and stays one line, whatever a client has put into it. */
export function error(text: string): string {
  return `-${text.replaceAll(/[\r\n]/g, " ")}\r\n`;
}

export function bulk(value: Buffer | string): Reply {
  return [`$${value.length}\r\n`, value, "\r\n"];
}

export function array(values: Reply): Reply {
  return [`*${values.length}\r\n`, ...values.flatMap(bulk)];
}

/** As Redis words it. */
export function unknownCommand([name, ...words]: readonly Buffer[]): string {
  let echoed = "";
  for (const word of words) {
    if (echoed.length >= longestEcho) break;
    echoed += `'${word.toString("latin1", 0, longestEcho - echoed.length)}' `;
  }
  const shown = name?.toString("latin1", 0, longestEcho) ?? "";
  return error(`ERR unknown command '${shown}', with args beginning with: ${echoed}`);
}
