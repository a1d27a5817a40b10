import { forBusiness, recordCall } from "../../../lib/db/index.ts";
import { endedCall } from "../../../lib/testing/ended_call.ts";
import { sessionOf } from "./fake_shards.ts";
import type { Harness } from "./harness.ts";

const someNumber = () => `1555${String(Math.floor(Math.random() * 1e7)).padStart(7, "0")}`;

/** Creates a paired business with one of each resource. Returns the ids by the names of path parameters. */
export async function createTenant(api: Harness): Promise<{ key: string; ids: Record<string, string> }> {
  const { id: business_id, key } = await api.business();
  const path = `/v1/businesses/${business_id}`;
  const create = async (under: string, body?: unknown) =>
    (await api.request("POST", `${path}/${under}`, { body })).body;

  await create("whatsapp/connect", { method: "qr" });
  api.shards.sessions.set(business_id, sessionOf(business_id));
  const message = await create("messages", { to: "5511900000002", type: "text", text: "hello" });
  const headers = { "content-type": "application/octet-stream" };
  const { body: media } = await api.request("POST", `${path}/media`, { body: "the bytes of a file", headers });
  const keys = await api.request("GET", `${path}/keys`);
  const webhook = await create("webhooks", { url: "https://example.com/hook", events: ["message.received"] });
  await create(`webhooks/${webhook.id}/test`);
  const deliveries = await api.request("GET", `${path}/webhooks/${webhook.id}/deliveries`);
  const broadcast = await create("broadcasts", { name: "Sale", text: "Hello", recipients: [{ to: "5511900000002" }] });
  const chat = someNumber();
  await create("opt_outs", { chat });
  const call_sid = `CA${crypto.randomUUID().replaceAll("-", "")}`;
  await recordCall(forBusiness(api.database.db, business_id), endedCall({ call_sid }));
  const number = someNumber();
  await api.request("PUT", `${path}/phone_numbers/${number}`);
  return {
    key,
    ids: {
      business_id,
      call_sid,
      number,
      broadcast_id: broadcast.id,
      chat,
      media_id: media.id,
      message_id: message.id,
      key_id: keys.body.data[0].id,
      webhook_id: webhook.id,
      delivery_id: deliveries.body.data[0].id,
    },
  };
}
