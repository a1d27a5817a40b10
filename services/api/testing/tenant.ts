import { forBusiness, recordCall } from "../../../lib/db/index.ts";
import { endedCall } from "../../../lib/testing/ended_call.ts";
import { sessionOf } from "./fake_shards.ts";
import type { Harness } from "./harness.ts";

const someNumber = () => `1555${String(Math.floor(Math.random() * 1e7)).padStart(7, "0")}`;

/** The path parameters that name a resource of a tenant. */
const resources = [
  "call_sid",
  "number",
  "broadcast_id",
  "chat",
  "media_id",
  "message_id",
  "key_id",
  "webhook_id",
  "delivery_id",
] as const;
export type Resource = (typeof resources)[number];

/**
 * Creates a paired business with one of each resource in `needed`, by default with all of them. Returns the ids by the
 * names of path parameters.
 */
export async function createTenant(
  api: Harness,
  needed: readonly string[] = resources,
): Promise<{ key: string; ids: Record<"business_id" | Resource, string> }> {
  const { id: business_id, key } = await api.business();
  const path = `/v1/businesses/${business_id}`;
  const create = async (under: string, body?: unknown) =>
    (await api.request("POST", `${path}/${under}`, { body })).body;
  await create("whatsapp/connect", { method: "qr" });
  api.shards.sessions.set(business_id, sessionOf(business_id));

  const creators: Record<Resource, () => Promise<Partial<Record<Resource, string>>>> = {
    call_sid: async () => {
      const call_sid = `CA${crypto.randomUUID().replaceAll("-", "")}`;
      await recordCall(forBusiness(api.database.db, business_id), endedCall({ call_sid }));
      return { call_sid };
    },
    number: async () => {
      const number = someNumber();
      await api.request("PUT", `${path}/phone_numbers/${number}`);
      return { number };
    },
    broadcast_id: async () => {
      const { id } = await create("broadcasts", {
        name: "Sale",
        text: "Hello",
        recipients: [{ to: "5511900000002" }],
      });
      return { broadcast_id: id };
    },
    chat: async () => {
      const chat = someNumber();
      await create("opt_outs", { chat });
      return { chat };
    },
    media_id: async () => {
      const headers = { "content-type": "application/octet-stream" };
      const { body } = await api.request("POST", `${path}/media`, { body: "the bytes of a file", headers });
      return { media_id: body.id };
    },
    message_id: async () => ({
      message_id: (await create("messages", { to: "5511900000002", type: "text", text: "hello" })).id,
    }),
    key_id: async () => ({ key_id: (await api.request("GET", `${path}/keys`)).body.data[0].id }),
    webhook_id: async () => {
      const { id } = await create("webhooks", { url: "https://example.com/hook", events: ["message.received"] });
      await create(`webhooks/${id}/test`);
      const deliveries = await api.request("GET", `${path}/webhooks/${id}/deliveries`);
      return { webhook_id: id, delivery_id: deliveries.body.data[0].id };
    },
    // A delivery has its webhook.
    delivery_id: async () => ({}),
  };
  const ids = { business_id } as Record<"business_id" | Resource, string>;
  for (const name of resources) if (needed.includes(name)) Object.assign(ids, await creators[name]());
  return { key, ids };
}
