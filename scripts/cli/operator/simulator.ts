import { createCaller } from "./http.ts";
import type { Caller, CallerOptions } from "./http.ts";
import { readFileOf } from "./stack.ts";
import type { Stack } from "./stack.ts";

/** Where a stack's simulator is controlled, and the token that it asks for; a stack without one ends the script. */
export async function simulatorOf(stack: Stack): Promise<{ url: string; token: string }> {
  const { simulator_url: url, simulator_token_file: file } = stack;
  if (url && file) return { url, token: (await readFileOf(stack, file)).trim() };
  console.error(`The stack "${stack.stack}" has no simulator; this works with simulated phones only.`);
  process.exit(1);
}

/** The control API of a stack's simulator; a stack without one ends the script. */
export async function simulatorApi(
  stack: Stack,
  options: Omit<CallerOptions, "baseUrl" | "token"> = {},
): Promise<Caller> {
  const { url, token } = await simulatorOf(stack);
  return createCaller({ baseUrl: url, token, ...options });
}
