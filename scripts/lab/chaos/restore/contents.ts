import { createHash } from "node:crypto";
import { bodyOf } from "../../../../lib/api-client/index.ts";
import type { ApiClient } from "../../../../lib/api-client/index.ts";
import { adminApi } from "../../../cli/operator/admin_api.ts";
import { allPages } from "../../../cli/operator/pages.ts";
import type { Stack } from "../../../cli/operator/stack.ts";

/** Everything of the businesses that a customer can see, by business. */
export type Contents = Map<string, { messages: unknown[]; files: Record<string, string> }>;

const businessesOf = (api: ApiClient) =>
  allPages((cursor) => bodyOf(api.GET("/v1/businesses", { params: { query: cursor ? { cursor } : {} } })));

export async function readContents(stack: Stack): Promise<Contents> {
  const api = await adminApi(stack);
  const ca = await Bun.file(stack.ca_file).text();
  const contents: Contents = new Map();
  for (const { id: business_id } of await businessesOf(api)) {
    const messages = await allPages((cursor) =>
      bodyOf(
        api.GET("/v1/businesses/{business_id}/messages", {
          params: { path: { business_id }, query: cursor ? { cursor } : {} },
        }),
      ),
    );
    const files: Record<string, string> = {};
    for (const message of messages) {
      const { content } = message;
      if (!("media" in content) || content.media.url === undefined) continue;
      // The address names the stack that signed it.
      const url = new URL(content.media.url);
      const response = await fetch(new URL(`${url.pathname}${url.search}`, stack.base_url), { tls: { ca } });
      if (!response.ok) throw new Error(`a file of ${business_id} answered ${response.status}`);
      files[message.id] = createHash("sha256")
        .update(await response.bytes())
        .digest("hex");
    }
    contents.set(business_id, { messages: messages.map((message) => withoutAddress(message)), files });
  }
  return contents;
}

const ofAddress: ReadonlySet<string> = new Set(["url", "thumbnail_url", "url_expires_at"]);

/** Signed addresses name a host, and the time at which they end. */
const withoutAddress = (message: unknown): unknown =>
  JSON.parse(JSON.stringify(message, (key, value: unknown) => (ofAddress.has(key) ? undefined : value)));

/** Ids of the businesses whose session is open. */
export async function openSessions(stack: Stack): Promise<string[]> {
  const api = await adminApi(stack);
  const open: string[] = [];
  for (const { id: business_id } of await businessesOf(api)) {
    const view = await bodyOf(api.GET("/v1/businesses/{business_id}/whatsapp", { params: { path: { business_id } } }));
    if (view.status === "open") open.push(business_id);
  }
  return open;
}

/** Sends a message from each business to a contact, and returns the ids. */
export async function sendFromEach(stack: Stack, ids: readonly string[], to: string): Promise<void> {
  const api = await adminApi(stack);
  for (const business_id of ids) {
    const body = { to, type: "text" as const, text: `after the restore: ${business_id}` };
    await bodyOf(api.POST("/v1/businesses/{business_id}/messages", { params: { path: { business_id } }, body }));
  }
}

export type Difference = { messages: number; files: number };

/** Counts what the restored stack lacks or shows in another form. */
export function compareContents(before: Contents, after: Contents): Difference {
  const difference: Difference = { messages: 0, files: 0 };
  for (const [id, { messages, files }] of before) {
    const restored = after.get(id);
    const texts = new Set(restored?.messages.map((message) => JSON.stringify(message)));
    difference.messages += messages.filter((message) => !texts.has(JSON.stringify(message))).length;
    difference.files += Object.entries(files).filter(([message, hash]) => restored?.files[message] !== hash).length;
  }
  return difference;
}
