import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { AppError } from "../../lib/core/errors.ts";
import { ApiFailure } from "../../lib/api-client/index.ts";
import { HttpFailure, NoAnswer } from "./operator/http.ts";

/* Commander rather than citty: it rejects unknown options and excess words, and parses numbers. */

/**
 * A command that `./scripts/task NAME` runs. Wrong arguments print the fault and the help text (exit 2); a failure that
 * the operator can act on prints one sentence (exit 1).
 *
 * @param words what follows the name in the usage line
 * @example
 * const { json } = commandLine("status", "Show jobs and shards.").option("--json", "print JSON", false).parse().opts();
 */
export function commandLine(name: string, description: string, words = "-- [OPTIONS]") {
  reportFailures();
  return new Command(`./scripts/task ${name}`)
    .usage(words)
    .description(description)
    .helpOption("-h, --help", "print this text")
    .allowExcessArguments(false)
    .showHelpAfterError()
    .configureHelp({ helpWidth: 100 })
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
}

/** {@link commandLine} of a command that prints a result, as JSON on request. */
export const resultCommand = (name: string, description: string, words?: string) =>
  commandLine(name, description, words).option("--json", "print one JSON object as the last line", false);

/** An option that the Taskfile sets from a variable, so that the help text leaves it out. */
export const taskVariable = <const F extends string>(flags: F) => new Option(flags).hideHelp();

/** Parses a whole number from `min` to `max`; for `.option(flags, help, parser, default)`. */
export const wholeNumber =
  (min = 1, max = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(
      max === Number.MAX_SAFE_INTEGER
        ? `Give a whole number of at least ${min}.`
        : `Give a whole number from ${min} to ${max}.`,
    );
  };

/** Parses a number above `above` and up to `max`. */
export const numberUpTo =
  (max: number, above = 0) =>
  (text: string): number => {
    const number = Number(text);
    if (number > above && number <= max) return number;
    throw new InvalidArgumentError(`Give a number above ${above} and up to ${max}.`);
  };

/** Prints the message of an expected failure alone; a fault of the program keeps its stack trace. */
function reportFailures(): void {
  process.once("uncaughtException", (error) => {
    const expected = [ApiFailure, AppError, HttpFailure, NoAnswer].some((kind) => error instanceof kind);
    console.error(expected ? error.message : error);
    process.exit(1);
  });
}
