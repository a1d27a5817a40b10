/** A fenced block of code, without its fence and its indentation. */
export type Block = { language: string; line: number; text: string };

/** The fenced blocks of a Markdown file, in order. @throws Error if one has no end */
export function blocksOf(markdown: string): Block[] {
  const lines = markdown.split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    // It may begin an item of a list.
    const [, before, language] = /^(\s*(?:(?:\d+\.|-) +)?)```(\w*)\s*$/.exec(lines[at]!) ?? [];
    if (before === undefined) continue;
    const indent = " ".repeat(before.length);
    const end = lines.findIndex((line, index) => index > at && line.trim() === "```");
    if (end < 0) throw new Error(`The block in line ${at + 1} has no end.`);
    const text = lines
      .slice(at + 1, end)
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line.trimStart()))
      .join("\n");
    blocks.push({ language: language!, line: at + 2, text });
    at = end;
  }
  return blocks;
}

/** The part of a Markdown file below a heading `## TITLE`, up to the next of its kind. @throws Error without it */
export function sectionOf(markdown: string, title: string): string {
  const lines = markdown.split("\n");
  const start = lines.indexOf(`## ${title}`);
  if (start < 0) throw new Error(`There is no section "${title}".`);
  const end = lines.findIndex((line, index) => index > start && line.startsWith("## "));
  return lines.slice(start + 1, end < 0 ? undefined : end).join("\n");
}

/** Code within lines of text, with the number of the line. */
export function codeSpansOf(markdown: string): { line: number; text: string }[] {
  let fenced = false;
  const found: { line: number; text: string }[] = [];
  // A span may go on in the next line.
  const lines = markdown.split("\n").map((line) => {
    if (line.trim().startsWith("```")) fenced = !fenced;
    return fenced || line.trim().startsWith("```") ? "" : line;
  });
  let offset = 0;
  const text = lines.join("\n");
  for (const match of text.matchAll(/`([^`]+)`/g)) {
    offset = match.index;
    const line = text.slice(0, offset).split("\n").length;
    found.push({ line, text: match[1]!.replaceAll(/\s+/g, " ") });
  }
  return found;
}
