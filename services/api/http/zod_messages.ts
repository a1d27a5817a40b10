import { z } from "@hono/zod-openapi";

type Issue = Parameters<NonNullable<ReturnType<typeof z.config>["customError"]>>[0];

/** Longest text of a request that an error repeats. */
const maxShown = 40;

function received(input: unknown): string {
  if (typeof input === "string") return input.length <= maxShown ? `, not ${JSON.stringify(input)}` : "";
  if (Array.isArray(input)) return ", not a list";
  return typeof input === "object" && input !== null ? ", not an object" : `, not ${String(input)}`;
}

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
};
const units: Readonly<Record<string, string>> = { string: " characters", array: " items" };
const formats: Readonly<Record<string, string>> = {
  uuid: "a UUID",
  url: "a URL",
  datetime: "an ISO 8601 time, such as 2026-03-01T12:00:00Z",
};

/** The rule that a value breaks, in plain words. Undefined: zod's own message. */
export function plainMessage(issue: Issue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "is required";
      return `must be ${kinds[issue.expected] ?? issue.expected}${received(issue.input)}`;
    case "invalid_value":
      if (issue.input === undefined) return "is required";
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}${received(issue.input)}`;
    case "too_small":
      return issue.inclusive
        ? `must be at least ${issue.minimum}${units[issue.origin] ?? ""}${numberOf(issue)}`
        : `must be above ${issue.minimum}${numberOf(issue)}`;
    case "too_big":
      return issue.inclusive
        ? `must be at most ${issue.maximum}${units[issue.origin] ?? ""}${numberOf(issue)}`
        : `must be below ${issue.maximum}${numberOf(issue)}`;
    case "invalid_format":
      return formats[issue.format] && `must be ${formats[issue.format]}${received(issue.input)}`;
    case "invalid_union":
      return issue.discriminator === undefined ? undefined : "has none of the known values";
    default:
      return undefined;
  }
}

/** The value of a number, or the size of a text or a list. */
function numberOf({ input }: Issue): string {
  if (typeof input === "string" || Array.isArray(input)) return `, not ${input.length}`;
  return received(input);
}

/** Makes zod describe faults of requests in plain words, where a schema has no message of its own. */
export function usePlainMessages(): void {
  z.config({ customError: plainMessage });
}
