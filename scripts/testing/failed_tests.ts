/** Names in a report; a run with more is broken as a whole. */
const maxNames = 100;

/** Begins the line of each failed test in the output of scripts/test. */
export const failedMark = "  ✗ ";

const entities: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" };

/** The failed tests of a JUnit report by `bun test`: file, descriptions and name. */
export function failedTests(report: string): string[] {
  const cases = report.matchAll(/<testcase ([^>]*[^/>])>\s*<(?:failure|error)\b/g);
  return [...cases].slice(0, maxNames).map(([, attributes = ""]) => {
    const value = (name: string) => new RegExp(` ${name}="([^"]*)"`).exec(` ${attributes}`)?.[1] ?? "";
    const text = (name: string) => value(name).replaceAll(/&(?:lt|gt|quot|apos|amp);/g, (each) => entities[each]!);
    // Bun names the innermost description first.
    const descriptions = text("classname").split(" > ").toReversed();
    return `${text("file")}: ${[...descriptions, text("name")].filter((part) => part !== "").join(" > ")}`;
  });
}
