import type { BinaryNode } from "@whiskeysockets/baileys";
import { getBinaryNodeChild, getBinaryNodeChildren, S_WHATSAPP_NET } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";

export type { BinaryNode };
export { S_WHATSAPP_NET as server };

/** Builds a node; attributes that are undefined are left out. */
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

/** The first child, whatever its tag. */
export function firstChild(parent: BinaryNode): BinaryNode | undefined {
  return Array.isArray(parent.content) ? parent.content[0] : undefined;
}

/** The bytes in a child, or undefined where there is no such child or it holds none. */
export function bytes(parent: BinaryNode | undefined, tag: string): Buffer | undefined {
  const content = child(parent, tag)?.content;
  if (typeof content === "string") return Buffer.from(content);
  return content instanceof Uint8Array ? Buffer.from(content) : undefined;
}

/** The bytes in a child; throws where they are missing. */
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

/** An id for a stanza that the server begins. */
export const stanzaId = () => randomBytes(6).toString("hex").toUpperCase();

/** A query that is answered with `<error code text>`. */
export class StanzaError extends Error {
  readonly code: string;
  constructor(code: string, text: string) {
    super(text);
    this.code = code;
  }
}
