import { parseXml, XmlElement, XmlText } from "@rgrove/parse-xml";

/** An element of TwiML: what to do, how, and with what inside. */
export type Instruction = { name: string; attributes: Record<string, string>; text: string; children: Instruction[] };

/** The instructions of a TwiML document, in order. Throws on what is no TwiML. */
export function readDocument(text: string): Instruction[] {
  const { root } = parseXml(text);
  if (root?.name !== "Response") throw new Error(`a TwiML document is a Response, not ${root?.name ?? "nothing"}`);
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
