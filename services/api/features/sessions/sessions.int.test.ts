import { beforeEach, describe, expect, test } from "bun:test";
import { useHarness } from "../../testing/use_harness.ts";
import { insertOpenSession } from "../../testing/stored_session.ts";

const api = useHarness();
beforeEach(() => {
  api.shards.away = false;
});

describe("a WhatsApp session", () => {
  test("gets a shard and a QR code on connect", async () => {
    const { id, key } = await api.business();
    const path = `/v1/businesses/${id}/whatsapp`;
    expect((await api.request("GET", path, { key })).body).toMatchObject({
      status: "disconnected",
      shard: null,
      paired: false,
      live: true,
    });
    expect((await api.request("GET", `${path}/qr.png`, { key })).status).toBe(409);
    const connected = await api.request("POST", `${path}/connect`, { key, body: { method: "qr" } });
    expect(connected.status).toBe(202);
    const { whatsapp_shard } = (await api.request("GET", `/v1/businesses/${id}`, { key })).body;
    expect([1, 2]).toContain(whatsapp_shard);
    expect(connected.body).toMatchObject({ status: "qr", shard: whatsapp_shard, qr: "2@qr-text", live: true });
    const png = await api.app.request(`${path}/qr.png`, { headers: { authorization: `Bearer ${key}` } });
    expect(png.headers.get("content-type")).toBe("image/png");
    expect(png.headers.get("cache-control")).toBe("no-store");
    expect(
      Buffer.from(await png.arrayBuffer())
        .subarray(1, 4)
        .toString(),
    ).toBe("PNG");
    const svg = await api.request("GET", `${path}/qr.svg`, { key });
    expect(svg.headers.get("content-type")).toBe("image/svg+xml");
    expect(svg.body).toContain("<svg");
  });

  test("shows the egress proxy to admins only", async () => {
    const { id, key } = await api.business();
    const path = `/v1/businesses/${id}/whatsapp`;
    await api.request("POST", `${path}/connect`, { body: { method: "qr" } });
    const egress = { proxy: "socks5://10.0.0.7:1080", healthy: false, checked_at: null, error: "refused" };
    api.shards.sessions.set(id, { ...api.shards.sessions.get(id)!, egress });
    expect((await api.request("GET", path)).body.egress).toEqual(egress);
    expect((await api.request("GET", path, { key })).body.egress).toBeUndefined();
  });

  test("hides QR and code from read-only keys", async () => {
    const { id, key } = await api.business(["whatsapp:read"]);
    const path = `/v1/businesses/${id}/whatsapp`;
    await api.request("POST", `${path}/connect`, { body: { method: "qr" } });
    expect((await api.request("GET", path)).body).toMatchObject({ status: "qr", qr: "2@qr-text" });
    const read = await api.request("GET", path, { key });
    expect(read.body).toMatchObject({ status: "qr" });
    expect(read.body).not.toHaveProperty("qr");
    expect((await api.request("GET", `${path}/qr.svg`, { key })).status).toBe(403);
  });

  test("requires a phone number for pairing by code", async () => {
    const { id } = await api.business();
    const path = `/v1/businesses/${id}/whatsapp/connect`;
    const refused = await api.request("POST", path, { body: { method: "code" } });
    expect([refused.status, refused.body.errors[0].field]).toEqual([400, "phone"]);
    const connected = await api.request("POST", path, { body: { method: "code", phone: "+5511987654321" } });
    expect(connected.body).toMatchObject({ status: "code", code: "ABCD1234" });
  });

  test("shows stored state while the shard is unreachable", async () => {
    const { id, key } = await api.business();
    const path = `/v1/businesses/${id}/whatsapp`;
    await api.request("POST", `${path}/connect`, { key, body: { method: "qr" } });
    api.shards.away = true;
    expect((await api.request("GET", path, { key })).status).toBe(503);
    await insertOpenSession(api, id, "55119");
    expect((await api.request("GET", path, { key })).body).toMatchObject({
      status: "open",
      phone: "55119",
      live: false,
    });
  });

  test("logs out idempotently", async () => {
    const { id, key } = await api.business();
    expect((await api.request("DELETE", `/v1/businesses/${id}/whatsapp`, { key })).status).toBe(204);
    await api.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { key, body: { method: "qr" } });
    expect((await api.request("DELETE", `/v1/businesses/${id}/whatsapp`, { key })).status).toBe(204);
    expect(api.shards.sessions.has(id)).toBeFalse();
  });
});
