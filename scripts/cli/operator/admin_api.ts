import { createApiClient } from "../../../lib/api-client/index.ts";
import type { ApiClient } from "../../../lib/api-client/index.ts";
import { answered } from "./http.ts";
import { readFileOf } from "./stack.ts";
import type { Stack } from "./stack.ts";

/** The API of a stack, with its first admin key by default. */
export async function adminApi(
  stack: Stack,
  { timeoutMs = 10_000, key }: { timeoutMs?: number; key?: string } = {},
): Promise<ApiClient> {
  const [first, ca] = await Promise.all([readFileOf(stack, stack.admin_key_file), readFileOf(stack, stack.ca_file)]);
  return createApiClient({
    baseUrl: stack.base_url,
    key: key ?? first.trim(),
    ca,
    timeoutMs,
    fetch: (request, init) => answered(request.url, fetch(request, init)),
  });
}
