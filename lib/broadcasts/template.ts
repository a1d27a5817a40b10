const placeholder = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** A field's name: what a column of a spreadsheet may well be called. */
const fieldForm = /^[\p{L}\p{N}_][\p{L}\p{N}_ -]{0,63}$/u;

/** Why a text is no template; undefined where it is one. */
export function faultOfTemplate(text: string): string | undefined {
  const wrong = [...text.matchAll(placeholder)].map(([, name]) => name!).find((name) => !fieldForm.test(name));
  if (wrong !== undefined) return `holds {{${wrong}}}: a field's name is up to 64 letters, digits, spaces, _ and -`;
  if (/\{\{|\}\}/.test(text.replaceAll(placeholder, ""))) return "holds {{ or }} that belong to no field";
  return undefined;
}

/** The fields that each recipient must have, in the order of their first use. */
export function fieldsOf(text: string): string[] {
  return [...new Set([...text.matchAll(placeholder)].map(([, name]) => name!))];
}

/** The text for one recipient. What a field holds is put in as it is: {{ }} in it mean nothing. */
export function render(text: string, fields: Readonly<Record<string, string>>): string {
  return text.replaceAll(placeholder, (_, name: string) => (Object.hasOwn(fields, name) ? fields[name]! : ""));
}
