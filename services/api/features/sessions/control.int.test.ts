import { describe, expect, test } from "bun:test";
import { sessionOf } from "../../testing/fake_shards.ts";
import { useHarness } from "../../testing/use_harness.ts";

const api = useHarness();

async function connected(scopes?: string[]) {
  const { id, key } = await api.business(scopes);
  const path = `/v1/businesses/${id}/whatsapp`;
  await api.request("POST", `${path}/connect`, { body: { method: "qr" } });
  api.shards.sessions.set(id, sessionOf(id));
  return { id, key, path };
}

describe("the control of a WhatsApp session", () => {
  test("stops, starts and restarts it; audits admins", async () => {
    const { id, key, path } = await connected();
    const stopped = await api.request("POST", `${path}/stop`);
    expect(stopped).toMatchObject({
      status: 202,
      body: { status: "disconnected", paired: true, stopped: true, reason: "stopped on request" },
    });
    expect((await api.request("GET", path, { key })).body).toMatchObject({ stopped: true });
    for (const action of ["start", "restart"]) {
      const { status, body } = await api.request("POST", `${path}/${action}`, { key });
      expect([status, body.status, body.stopped]).toEqual([202, "connecting", undefined]);
    }
    expect(api.shards.calls).toEqual(expect.arrayContaining(["stop", "start", "restart"]));
    const { body } = await api.request("GET", `/v1/admin/audit?business_id=${id}`);
    const paths = body.data.map((event: { path: string }) => event.path);
    expect(paths).toEqual(expect.arrayContaining([expect.stringContaining("/whatsapp/stop")]));
  });

  test("needs whatsapp:write and its own business", async () => {
    const { key, path } = await connected(["whatsapp:read"]);
    const other = await api.business();
    for (const action of ["stop", "start", "restart"]) {
      expect((await api.request("POST", `${path}/${action}`, { key })).status).toBe(403);
      expect((await api.request("POST", `${path}/${action}`, { key: other.key })).status).toBe(404);
    }
  });

  test("conflicts without a session, before and after a connect", async () => {
    const { id, key } = await api.business();
    const path = `/v1/businesses/${id}/whatsapp`;
    expect((await api.request("POST", `${path}/restart`, { key })).status).toBe(409);
    await api.request("POST", `${path}/connect`, { body: { method: "qr" } });
    api.shards.sessions.delete(id);
    expect((await api.request("POST", `${path}/restart`, { key })).status).toBe(409);
  });
});
