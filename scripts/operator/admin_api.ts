import { createApiClient } from "../../lib/api-client/index.ts";
import type { ApiClient } from "../../lib/api-client/index.ts";
import type { Stack } from "./stack.ts";

/** The API of a stack, asked with its first admin key. */
export async function adminApi(stack: Stack, timeoutMs = 10_000): Promise<ApiClient> {
  const [key, ca] = await Promise.all([Bun.file(stack.admin_key_file).text(), Bun.file(stack.ca_file).text()]);
  return createApiClient({ baseUrl: stack.base_url, key: key.trim(), ca, timeoutMs });
}
