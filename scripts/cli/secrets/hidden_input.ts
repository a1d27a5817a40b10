import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { AppError } from "../../../lib/core/errors.ts";

/**
 * Reads a secret: from a terminal without echo, else from stdin up to its end. A value never comes as an argument,
 * which every process of the machine can read.
 *
 * @param repeat asks a person twice, because a typing error would not show
 */
export async function readHidden(what: string, { repeat = false } = {}): Promise<string> {
  const value = process.stdin.isTTY ? await ask(what, repeat) : (await Bun.stdin.text()).replace(/\r?\n$/, "");
  if (value === "") throw new AppError("invalid_request", `Give ${what} on stdin, or at the prompt of a terminal.`);
  return value;
}

async function ask(what: string, repeat: boolean): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  const question = async (text: string) => {
    process.stderr.write(text);
    const answer = await terminal.question("");
    process.stderr.write("\n");
    return answer;
  };
  try {
    const value = await question(`Enter ${what} (not shown): `);
    if (repeat && (await question("The same again: ")) !== value)
      throw new AppError("invalid_request", "The two entries differ. Nothing was changed.");
    return value;
  } finally {
    terminal.close();
  }
}
