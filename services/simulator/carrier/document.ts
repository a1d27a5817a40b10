import { parseXml, XmlElement, XmlText } from "@rgrove/parse-xml";

/** An element of TwiML: a verb, or a noun within one. */
export type Instruction = { name: string; attributes: Record<string, string>; text: string; children: Instruction[] };

/** Parses a TwiML document into its instructions, in order. Throws if the text is not TwiML. */
export function readDocument(text: string): Instruction[] {
  const { root } = parseXml(text);
  if (root?.name !== "Response") throw new Error(`the root of a TwiML document is Response, not ${root?.name}`);
  return read(root).children;
}

function read(element: XmlElement): Instruction {
  return {
    name: element.name,
    attributes: element.attributes,
    text: element.children
      .filter((child) => child instanceof XmlText)
      .map((child) => child.text)
      .join("")
      .trim(),
    children: element.children.filter((child) => child instanceof XmlElement).map(read),
  };
}
