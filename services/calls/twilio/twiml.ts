/*
 * TwiML, the carrier's instructions. These forty lines replace the `twilio` package: of its 14 MB (an HTTP client and
 * every REST resource) this service would use only the XML escaping.
 */

export type Verb = { name: string; attributes: Record<string, string>; children: (Verb | string)[] };

/** Creates an element. Undefined attributes are omitted. */
export function verb(
  name: string,
  attributes: Record<string, string | undefined> = {},
  ...children: (Verb | string)[]
): Verb {
  const given = Object.entries(attributes).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { name, attributes: Object.fromEntries(given), children };
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

/** Control characters that XML 1.0 cannot escape; they are dropped. */
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

/** Renders a document with these verbs, in order. Without verbs the carrier hangs up. */
export function twiml(...verbs: Verb[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>${render(verb("Response", {}, ...verbs))}`;
}
