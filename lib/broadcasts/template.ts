/*
 * {{field}} stands for a recipient's own value. Templates come from customers: every pattern here takes time linear in
 * its input (scripts/testing/patterns.test.ts).
 */

/** WhatsApp cuts texts off beyond this many characters. */
export const maxRenderedLength = 65_536;

/** Fields that a recipient may have, and so a template may name. */
export const maxFields = 50;

/** No quantifier overlaps another: a name with spaces around it is trimmed by the program, not by the pattern. */
const placeholder = /\{\{([^{}]*)\}\}/g;

/** A field's name: what a column of a spreadsheet may well be called. */
const fieldForm = /^[\p{L}\p{N}_][\p{L}\p{N}_ -]{0,63}$/u;

/** Longest excerpt of a wrong name in a fault. */
const maxExcerpt = 100;

/** Why a text is no template; undefined where it is one. */
export function faultOfTemplate(text: string): string | undefined {
  const { fields } = parseTemplate(text);
  const wrong = fields.find((name) => !fieldForm.test(name));
  if (wrong !== undefined) {
    const excerpt = wrong.length > maxExcerpt ? `${wrong.slice(0, maxExcerpt).toWellFormed()}…` : wrong;
    return `holds {{${excerpt}}}: a field's name is up to 64 letters, digits, spaces, _ and -`;
  }
  if (/\{\{|\}\}/.test(text.replaceAll(placeholder, ""))) return "holds {{ or }} that belong to no field";
  if (fields.length > maxFields) return `names ${fields.length} fields: up to ${maxFields} are allowed`;
  return undefined;
}

export type Template = {
  /** The fields that each recipient must have, in the order of their first use. */
  fields: string[];
  /** The text for one recipient. Field values are inserted verbatim: {{ }} in them have no meaning. */
  render(fields: Fields): string;
  /** Length of the rendered text in UTF-16 code units, without rendering it. */
  renderedLength(fields: Fields): number;
};

type Fields = Readonly<Record<string, string>>;

/** Splits a template once, so that it can be rendered for many recipients. */
export function parseTemplate(text: string): Template {
  // Literal text and names of fields alternate; the first and the last part are literal.
  const parts = text.split(placeholder).map((part, n) => (n % 2 === 0 ? part : part.trim()));
  const uses = new Map<string, number>();
  let literalLength = 0;
  for (const [n, part] of parts.entries()) {
    if (n % 2 === 0) literalLength += part.length;
    else uses.set(part, (uses.get(part) ?? 0) + 1);
  }
  return {
    fields: [...uses.keys()],
    render: (fields) => parts.map((part, n) => (n % 2 === 0 ? part : valueOf(fields, part))).join(""),
    renderedLength: (fields) => {
      let length = literalLength;
      for (const [name, count] of uses) length += count * valueOf(fields, name).length;
      return length;
    },
  };
}

function valueOf(fields: Fields, name: string): string {
  return Object.hasOwn(fields, name) ? fields[name]! : "";
}
