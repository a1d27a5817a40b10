import { beforeEach, describe, expect, test } from "bun:test";
import { AppError } from "../../../../lib/core/errors.ts";
import { forPlatform } from "../../../../lib/db/index.ts";
import { useHarness } from "../../testing/use_harness.ts";
import { storeInbound } from "../../../../lib/testing/inbound.ts";

let id: string;
let key: string;
let path: string;
const api = useHarness();
beforeEach(async () => {
  api.chats.asked.length = 0;
  api.chats.before = async () => {};
  ({ id, key } = await api.business());
  path = `/v1/businesses/${id}`;
  await api.request("POST", `${path}/whatsapp/connect`, { body: { method: "qr" } });
});

const post = (where: string, body?: object) =>
  api.request("POST", `${path}${where}`, { key, ...(body ? { body } : {}) });
const chat = "5511900000002@s.whatsapp.net";
const group = "120363000000000001@g.us";

/** Stores a received message; returns its id. */
async function written(wa_message_id: string, at: number, where = chat, sender = where): Promise<string> {
  const message = {
    business_id: id,
    wa_message_id,
    chat: where,
    sender,
    from_me: false,
    at: new Date(at),
    type: "text",
    text: "x",
  };
  return (await storeInbound(forPlatform(api.database.db), [message]))[0]!.id;
}

test("sends presence to the shard by JID", async () => {
  expect((await post("/whatsapp/presence", { presence: "available" })).status).toBe(204);
  expect((await post("/whatsapp/presence", { presence: "typing", chat: "+5511900000002" })).status).toBe(204);
  expect(api.chats.asked).toEqual([
    { what: "showPresence", business: id, request: { presence: "available" } },
    { what: "showPresence", business: id, request: { presence: "typing", chat } },
  ]);
  expect((await post("/whatsapp/presence", { presence: "typing" })).body.errors[0].field).toBe("chat");
});

describe("marking as read", () => {
  test("includes earlier messages of the chat, once", async () => {
    await written("A1", 1_000);
    const second = await written("A2", 2_000);
    const third = await written("A3", 3_000);
    await written("B1", 1_500, "5511900000003@s.whatsapp.net");
    expect((await post(`/messages/${second}/read`)).status).toBe(204);
    const marked = (...ids: string[]) => ({
      what: "markRead" as const,
      business: id,
      request: { chat, messages: ids.map((wa_message_id) => ({ wa_message_id, sender: chat })) },
    });
    expect(api.chats.asked).toEqual([marked("A1", "A2")]);
    const status = async (message: string) => (await api.request("GET", `${path}/messages/${message}`, { key })).body;
    expect(await status(second)).toMatchObject({ status: "read", read_at: expect.any(String) });
    expect(await status(third)).toMatchObject({ status: "delivered", read_at: null });

    expect((await post(`/messages/${second}/read`)).status).toBe(204);
    expect((await post(`/messages/${third}/read`)).status).toBe(204);
    expect(api.chats.asked.slice(1)).toEqual([marked("A3")]);
  });

  test("sends the senders of group messages", async () => {
    const message = await written("G1", 1_000, group, "777@lid");
    await post(`/messages/${message}/read`);
    expect(api.chats.asked[0]?.request).toEqual({
      chat: group,
      messages: [{ wa_message_id: "G1", sender: "777@lid" }],
    });
  });

  test("can be retried when the shard fails", async () => {
    const message = await written("A1", 1_000);
    api.chats.before = () =>
      Promise.reject(new AppError("unavailable", "The session is connecting, not open.", { retryAfterS: 2 }));
    const answer = await post(`/messages/${message}/read`);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"]);
    api.chats.before = async () => {};
    await post(`/messages/${message}/read`);
    expect(api.chats.asked).toHaveLength(1);
  });

  test("requires messages:write", async () => {
    const { body } = await api.request("POST", `${path}/keys`, { body: { scopes: ["messages:read"] } });
    const message = await written("A1", 1_000);
    const answer = await api.request("POST", `${path}/messages/${message}/read`, { key: body.key });
    expect(answer.status).toBe(403);
  });
});

test("checks numbers in order and finds pictures", async () => {
  const { body } = await post("/whatsapp/numbers/check", { numbers: ["+5511900000001", "5511900000000"] });
  expect(body.data).toEqual([
    { number: "5511900000001", on_whatsapp: true, jid: "5511900000001@s.whatsapp.net" },
    { number: "5511900000000", on_whatsapp: false, jid: null },
  ]);
  expect((await post("/whatsapp/numbers/check", { numbers: [] })).status).toBe(400);
  const found = await api.request("GET", `${path}/whatsapp/picture?of=5511900000002`, { key });
  expect(found.body).toEqual({ url: "https://pps.example.com/picture.jpg" });
  expect(api.chats.asked.at(-1)?.request).toEqual({ of: chat, size: "preview" });
});

test("answers 409 without a linked phone", async () => {
  const { id: other } = await api.business();
  const answer = await api.request("POST", `/v1/businesses/${other}/whatsapp/presence`, {
    body: { presence: "available" },
  });
  expect(answer.status).toBe(409);
  api.chats.before = () => Promise.reject(new AppError("not_found", "There is no such session."));
  expect((await post("/whatsapp/presence", { presence: "available" })).status).toBe(409);
});
