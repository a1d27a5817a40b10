import type { BinaryNode } from "@whiskeysockets/baileys";
import { getBinaryNodeChild, getBinaryNodeChildren, S_WHATSAPP_NET } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";

export type { BinaryNode };
export { S_WHATSAPP_NET as server };

/** Creates a node. Omits undefined attributes. */
export function node(
  tag: string,
  attrs: Record<string, string | undefined> = {},
  content?: BinaryNode["content"],
): BinaryNode {
  const present: Record<string, string> = {};
  for (const key in attrs) {
    const value = attrs[key];
    if (value !== undefined) present[key] = value;
  }
  return content === undefined ? { tag, attrs: present } : { tag, attrs: present, content };
}

export const child = getBinaryNodeChild;
export const children = getBinaryNodeChildren;

/** Returns the first child of any tag. */
export function firstChild(parent: BinaryNode): BinaryNode | undefined {
  return Array.isArray(parent.content) ? parent.content[0] : undefined;
}

/** Returns the bytes in a child; undefined if the child does not exist or has no bytes. */
export function bytes(parent: BinaryNode | undefined, tag: string): Buffer | undefined {
  const content = child(parent, tag)?.content;
  if (typeof content === "string") return Buffer.from(content);
  return content instanceof Uint8Array ? Buffer.from(content) : undefined;
}

/** Returns the bytes in a child. Throws StanzaError 400 if they are missing. */
export function requiredBytes(parent: BinaryNode | undefined, tag: string): Buffer {
  const found = bytes(parent, tag);
  if (!found) throw new StanzaError("400", `<${tag}> is missing`);
  return found;
}

export function uint(value: number, size: number): Buffer {
  const buffer = Buffer.alloc(size);
  buffer.writeUIntBE(value, 0, size);
  return buffer;
}

export const nowS = () => String(Math.floor(Date.now() / 1000));

/** Creates an id for a stanza that the server initiates. */
export const stanzaId = () => randomBytes(6).toString("hex").toUpperCase();

/** An error that is sent to the client as `<error code text>`. */
export class StanzaError extends Error {
  readonly code: string;
  /** Seconds after which the client may ask again. */
  readonly backoff: string | undefined;
  constructor(code: string, text: string, backoff?: string) {
    super(text);
    this.code = code;
    this.backoff = backoff;
  }
}
