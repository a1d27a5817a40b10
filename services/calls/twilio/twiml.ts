/*
 * TwiML, the carrier's instructions. Our own forty lines and not the `twilio` package: of its 14 MB, with an HTTP
 * client and every REST resource in it, this service would use the escaping of text.
 */

export type Verb = { name: string; attributes: Record<string, string>; children: (Verb | string)[] };

/** An element; attributes that are undefined are left out. */
export function verb(
  name: string,
  attributes: Record<string, string | undefined> = {},
  ...children: (Verb | string)[]
): Verb {
  const given = Object.entries(attributes).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { name, attributes: Object.fromEntries(given), children };
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

/** XML 1.0 knows no escape for the other control characters: they are left out. */
// oxlint-disable-next-line no-control-regex
const unwritable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

function escape(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(unwritable, "")
    .replaceAll(/[&<>"']/g, (character) => entities[character]!);
}

function render(node: Verb | string): string {
  if (typeof node === "string") return escape(node);
  const attributes = Object.entries(node.attributes).map(([name, value]) => ` ${name}="${escape(value)}"`);
  const start = `<${node.name}${attributes.join("")}`;
  if (node.children.length === 0) return `${start}/>`;
  return `${start}>${node.children.map(render).join("")}</${node.name}>`;
}

/** A document that carries these out in order. With none of them the carrier hangs up. */
export function twiml(...verbs: Verb[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>${render(verb("Response", {}, ...verbs))}`;
}
