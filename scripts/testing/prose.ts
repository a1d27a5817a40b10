import { readFile } from "node:fs/promises";
import { join } from "node:path";
import ts from "typescript";

/** A pattern of the prose that this repository does not use, and what to write in its stead. */
type Rule = { name: string; pattern: RegExp; instead: string };

const rules: readonly Rule[] = [
  {
    name: "free-relative",
    pattern: /(?:^|[.!?:;] )(?:What|Whatever|Whoever|Whichever|Who)\b(?![^.]*\?)/,
    instead: "start with the subject or the verb",
  },
  {
    name: "archaic",
    pattern:
      /\b(?:anew|mend(?:s|ed|ing)?|in vain|nobody|whoever|henceforth|thereof|lest|begun|at present|by lot|for good|meanwhile|astray|heed(?:s|ed)?|bear(?:s|ing)?|ask(?:s|ed)? for it anew|save for|in no way)\b/i,
    instead: "again, repair, without effect, no one or the part that does it, now, permanently, in between",
  },
  {
    name: "under-way",
    pattern: /\b(?:under ?way|on (?:its|their|the) way)\b/i,
    instead: "in flight, running, pending",
  },
  {
    name: "away",
    pattern: /\b(?:is|are|was|were|be|been|stays?|goes|go|went|gone|while \w+) away\b|\baway for\b/i,
    instead: "unavailable, down, stopped, removed",
  },
  { name: "place", pattern: /\bplaces?\b/i, instead: "slot, location, order, dial, instead of" },
  {
    name: "tell",
    pattern: /\b(?:tells?|told)\b/i,
    instead: "report, notify, log, return, publish",
  },
  { name: "whether", pattern: /^Whether\b/, instead: "True if …, or the sentence that holds when the value is true" },
  { name: "trouble", pattern: /\btroubles?\b/i, instead: "error, failure, fault" },
  { name: "let-go", pattern: /\blet(?:s|ting)? \w* ?go\b/i, instead: "release" },
];

const maxTestNameWords = 9;
const maxColumns = 120;

type Finding = { path: string; line: number; rule: string; text: string; instead: string };

/** Sentences of a comment: markers, tags and line breaks removed. */
function commentText(raw: string): string {
  return raw
    .replace(/^\/\*\*?|\*\/$|^\/\/+/g, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\*? ?/, ""))
    .join(" ")
    .trim();
}

function findingsOfText(path: string, line: number, text: string): Finding[] {
  return rules
    .filter(({ pattern }) => pattern.test(text))
    .map(({ name, instead }) => ({ path, line, rule: name, text: text.slice(0, 160), instead }));
}

const testFunctions = new Set(["test", "it"]);

/** `test(…)`, `test.skipIf(…)(…)`, `test.each(…)(…)`. */
function isTestCall({ expression }: ts.CallExpression): boolean {
  let callee: ts.Expression = expression;
  while (ts.isCallExpression(callee) || ts.isPropertyAccessExpression(callee)) callee = callee.expression;
  return ts.isIdentifier(callee) && testFunctions.has(callee.text);
}

/** Comments, texts of several words and test names of a TypeScript file. */
function findingsOfTypeScript(path: string, source: string): Finding[] {
  const file = ts.createSourceFile(
    path,
    source,
    ts.ScriptTarget.Latest,
    true,
    path.endsWith("x") ? ts.ScriptKind.TSX : ts.ScriptKind.TS,
  );
  const lineOf = (at: number) => file.getLineAndCharacterOfPosition(at).line + 1;
  const found: Finding[] = [];
  const seen = new Set<number>();
  const comments = (node: ts.Node) => {
    for (const range of ts.getLeadingCommentRanges(source, node.getFullStart()) ?? []) {
      if (seen.has(range.pos)) continue;
      seen.add(range.pos);
      found.push(...findingsOfText(path, lineOf(range.pos), commentText(source.slice(range.pos, range.end))));
    }
    for (const range of ts.getTrailingCommentRanges(source, node.getEnd()) ?? []) {
      if (seen.has(range.pos)) continue;
      seen.add(range.pos);
      found.push(...findingsOfText(path, lineOf(range.pos), commentText(source.slice(range.pos, range.end))));
    }
  };
  const visit = (node: ts.Node): void => {
    comments(node);
    if (
      (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) &&
      / \w+ /.test(node.text)
    ) {
      found.push(...findingsOfText(path, lineOf(node.getStart()), node.text));
    }
    const name = ts.isCallExpression(node) && isTestCall(node) ? node.arguments[0] : undefined;
    if (name !== undefined && ts.isStringLiteralLike(name) && name.text.split(/\s+/).length > maxTestNameWords) {
      found.push({
        path,
        line: lineOf(name.getStart()),
        rule: "test-name",
        text: name.text,
        instead: `at most ${maxTestNameWords} words; group tests with describe`,
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** `#` comments of HCL, shell, YAML and SQL's `--`; Markdown whole, but for code blocks. */
function findingsOfLines(path: string, source: string): Finding[] {
  const markdown = path.endsWith(".md");
  let fenced = false;
  return source.split("\n").flatMap((line, index) => {
    if (markdown && line.startsWith("```")) fenced = !fenced;
    const text = markdown
      ? fenced
        ? ""
        : line
      : (/(?:^|\s)(?:#+|--|\/\/) (.*)$/.exec(line)?.[1] ?? /desc(?:ription)?\s*[:=]\s*(.*)/.exec(line)?.[1] ?? "");
    return text === "" ? [] : findingsOfText(path, index + 1, text);
  });
}

function longLines(path: string, source: string): Finding[] {
  return source.split("\n").flatMap((line, index) =>
    line.length > maxColumns && !/^\s*\|/.test(line) && !/https?:\/\/\S{60,}/.test(line)
      ? [
          {
            path,
            line: index + 1,
            rule: "columns",
            text: line.trim().slice(0, 100),
            instead: `at most ${maxColumns} columns`,
          },
        ]
      : [],
  );
}

export function findingsOf(path: string, source: string): Finding[] {
  const prose = /\.tsx?$/.test(path) ? findingsOfTypeScript(path, source) : findingsOfLines(path, source);
  return [...prose, ...longLines(path, source)];
}

/** Lines `PATH RULE TEXT`: a finding of RULE in PATH whose text contains TEXT is accepted. */
export function parseExceptions(source: string): { path: string; rule: string; text: string }[] {
  return source
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .map((line) => {
      const [path = "", rule = "", ...text] = line.split(" ");
      return { path, rule, text: text.join(" ") };
    });
}

const checked = "**/*.{ts,tsx,hcl,sh,yml,md,ctmpl,conf,sql,lua,settings}";
const unchecked = /node_modules|^lib\/patches\/|openapi\.d\.ts$|^scripts\/testing\/prose|migrations\/|bun\.lock/;
const scriptsWithoutSuffix = ["scripts/up", "scripts/down", "scripts/test", "scripts/task"];

if (import.meta.main) {
  const root = join(import.meta.dir, "../..");
  const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
  const exceptions = parseExceptions(await readFile(join(import.meta.dir, "prose_exceptions.txt"), "utf8"));
  const paths = [
    ...(await Array.fromAsync(new Bun.Glob(checked).scan({ cwd: root, dot: false }))),
    ...scriptsWithoutSuffix,
  ]
    .filter((path) => !unchecked.test(path) && (wanted.length === 0 || wanted.some((start) => path.startsWith(start))))
    .toSorted();
  const findings: Finding[] = [];
  const used = new Set<object>();
  for (const path of paths) {
    for (const finding of findingsOf(path, await Bun.file(join(root, path)).text())) {
      const exception = exceptions.find(
        ({ path: at, rule, text }) => at === path && rule === finding.rule && finding.text.includes(text),
      );
      if (exception === undefined) findings.push(finding);
      else used.add(exception);
    }
  }
  if (process.argv.includes("--count")) {
    const byRoom = new Map<string, number>();
    for (const { path, rule } of findings) {
      for (const key of [path.split("/").slice(0, 2).join("/"), `rule ${rule}`])
        byRoom.set(key, (byRoom.get(key) ?? 0) + 1);
    }
    for (const [room, count] of [...byRoom].toSorted(([, a], [, b]) => b - a)) console.log(`${count}\t${room}`);
  } else {
    for (const { path, line, rule, text, instead } of findings)
      console.error(`${path}:${line}: ${rule}: ${text}\n    write: ${instead}`);
  }
  const unused = wanted.length > 0 ? [] : exceptions.filter((exception) => !used.has(exception));
  for (const { path, rule, text } of unused)
    console.error(`prose_exceptions.txt: nothing needs "${path} ${rule} ${text}"`);
  console.error(`${findings.length} findings`);
  process.exit(findings.length + unused.length > 0 ? 1 : 0);
}
