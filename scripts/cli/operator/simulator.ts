import { createCaller } from "./http.ts";
import type { Caller, CallerOptions } from "./http.ts";
import { readFileOf } from "./stack.ts";
import type { Stack } from "./stack.ts";

/** URL and token of a stack's simulator; exits if the stack has none. */
export async function simulatorOf(stack: Stack): Promise<{ url: string; token: string }> {
  const { simulator_url: url, simulator_token_file: file } = stack;
  if (url && file) return { url, token: (await readFileOf(stack, file)).trim() };
  console.error(`The stack "${stack.stack}" has no simulator; this command needs simulated phones.`);
  process.exit(1);
}

/** The control API of a stack's simulator; exits if the stack has none. */
export async function simulatorApi(
  stack: Stack,
  options: Omit<CallerOptions, "baseUrl" | "token"> = {},
): Promise<Caller> {
  const { url, token } = await simulatorOf(stack);
  return createCaller({ baseUrl: url, token, ...options });
}
