import { parseArgs } from "node:util";
import type { ParseArgsConfig } from "node:util";
import { AppError, messageOf } from "../../../lib/core/errors.ts";
import { ApiFailure } from "../../../lib/api-client/index.ts";
import { HttpFailure, NoAnswer } from "./http.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O; allowPositionals: true }>>;

/**
 * Reads a command's options. Wrong ones end it with what is wrong about them and the usage (exit 2), --help with the
 * usage alone. From then on a stack that does not do as it is asked ends it with a sentence (exit 1).
 */
export function readOptions<const O extends Options>(usage: string, options: O): Values<O>["values"] {
  return readArguments(usage, options, 0).values;
}

/** What every command understands that prints a result. */
export const resultOptions = {
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** As {@link readOptions}, for what measures or breaks: --json, --help, and `numbers`, whole and above 0, by their defaults. */
export function readRun<const N extends Record<string, number>, const O extends Options = typeof resultOptions>(
  usage: string,
  numbers: N,
  others?: O,
): Values<O & typeof resultOptions>["values"] & Record<keyof N, number> {
  const strings = Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [name, { type: "string", default: `${value}` } as const]),
  );
  const values: Record<string, unknown> = readOptions(usage, { ...strings, ...others, ...resultOptions });
  for (const name of Object.keys(numbers)) {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number <= 0) wrongArguments(`--${name} is a whole number above 0`, usage);
    values[name] = number;
  }
  return values as ReturnType<typeof readRun<N, O>>;
}

/** As {@link readOptions}, with up to `most` words that are no options. */
export function readArguments<const O extends Options>(usage: string, options: O, most: number): Values<O> {
  tellFailures();
  let read: Values<O>;
  try {
    read = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    // What Node adds is about arguments that begin with a hyphen.
    return wrongArguments(messageOf(error).split(". To specify")[0]!, usage);
  }
  if ((read.values as Record<string, unknown>)["help"]) {
    console.log(usage);
    process.exit(0);
  }
  const tooMany = read.positionals[most];
  if (tooMany !== undefined) wrongArguments(`"${tooMany}" is one word too many`, usage);
  return read;
}

export function wrongArguments(fault: string, usage: string): never {
  console.error(`${fault}\n\n${usage}`);
  process.exit(2);
}

/** Failures of what was asked are told in their own words; a fault of the program keeps its trace. */
function tellFailures(): void {
  process.once("uncaughtException", (error) => {
    const known = [ApiFailure, AppError, HttpFailure, NoAnswer].some((kind) => error instanceof kind);
    console.error(known ? error.message : error);
    process.exit(1);
  });
}
