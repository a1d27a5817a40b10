/** Names in a report; a run with more is broken as a whole. */
const maxNames = 100;

/** Begins the line of each failed test in the output of scripts/test. */
export const failedMark = "  ✗ ";

/** Characters of an error: its first lines. */
const maxError = 300;

const entities: Record<string, string> = {
  "&#10;": "\n",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&amp;": "&",
};

/** The failed tests of a JUnit report by `bun test`: file, descriptions, name and the start of the error. */
export function failedTests(report: string): string[] {
  const cases = report.matchAll(/<testcase ([^>]*[^/>])>\s*<(?:failure|error)\b([^>]*)/g);
  return [...cases].slice(0, maxNames).map(([, attributes = "", failure = ""]) => {
    const value = (name: string) => new RegExp(` ${name}="([^"]*)"`).exec(` ${attributes}${failure}`)?.[1] ?? "";
    const text = (name: string) => value(name).replaceAll(/&(?:#10|lt|gt|quot|apos|amp);/g, (each) => entities[each]!);
    // Bun names the innermost description first.
    const descriptions = text("classname").split(" > ").toReversed();
    const path = [...descriptions, text("name")].filter((part) => part !== "").join(" > ");
    const error = text("message")
      .trim()
      .slice(0, maxError)
      .replaceAll(/\s*\n\s*/g, "; ");
    return `${text("file")}: ${path}${error === "" ? "" : ` (${error})`}`;
  });
}
