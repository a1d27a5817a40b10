import { Glob } from "bun";
import { join } from "node:path";
import { analyse } from "scslre";
import ts from "typescript";

/** A regular expression in the sources: `text` as it is written, and the files that hold it. */
export type Pattern = { text: string; files: string[] };

/** Tests and their helpers meet no input of strangers. */
const ours = /\.test\.tsx?$|\/testing\/|\.d\.ts$/;

/** Every regular expression literal of these folders, and each call of the RegExp constructor as its own text. */
export async function patternsOf(root: string, folders: readonly string[]): Promise<Pattern[]> {
  const found = new Map<string, Set<string>>();
  for (const folder of folders) {
    for await (const file of new Glob(`${folder}/**/*.{ts,tsx}`).scan(root)) {
      if (ours.test(file)) continue;
      for (const text of patternsIn(file, await Bun.file(join(root, file)).text())) {
        found.set(text, (found.get(text) ?? new Set()).add(file));
      }
    }
  }
  return [...found].map(([text, files]) => ({ text, files: [...files].toSorted() }));
}

export function patternsIn(file: string, source: string): string[] {
  const patterns: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) patterns.push(node.text);
    const isCall = ts.isNewExpression(node) || ts.isCallExpression(node);
    if (isCall && ts.isIdentifier(node.expression) && node.expression.text === "RegExp") patterns.push(node.getText());
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true));
  return patterns;
}

/**
 * Why matching may take longer than linear in the input; undefined where it does not. A search that is not anchored
 * counts too: it begins again at every character.
 */
export function superLinear(text: string): string | undefined {
  const end = text.lastIndexOf("/");
  if (!text.startsWith("/") || end < 1) return "is built at run time, so that it cannot be analysed";
  const { reports } = analyse({ source: text.slice(1, end), flags: text.slice(end + 1) });
  const [report] = reports;
  if (report === undefined) return undefined;
  return `${report.exponential ? "exponential" : "polynomial"} backtracking (${report.type})`;
}
