import { beforeEach, describe, expect, spyOn, test } from "bun:test";
import { until } from "../../../../lib/testing/until.ts";
import { useHarness } from "../../testing/use_harness.ts";

const api = useHarness();
beforeEach(() => {
  api.shards.away = false;
});

describe("a business", () => {
  test("is created, read, updated and listed", async () => {
    const created = await api.request("POST", "/v1/businesses", {
      body: { name: "Padaria", time_zone: "America/Sao_Paulo" },
    });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ name: "Padaria", time_zone: "America/Sao_Paulo", whatsapp_shard: null });
    const path = `/v1/businesses/${created.body.id}`;
    expect((await api.request("GET", path)).body).toEqual(created.body);
    const changed = await api.request("PATCH", path, { body: { name: "Aurora" } });
    expect(changed.body).toMatchObject({ id: created.body.id, name: "Aurora", time_zone: "America/Sao_Paulo" });
    expect((await api.request("GET", "/v1/businesses?limit=1")).body.data).toEqual([changed.body]);
  });

  test("hands its session whether it receives statuses", async () => {
    const { id } = await api.business();
    const path = `/v1/businesses/${id}`;
    const change = (on: boolean) => api.request("PATCH", path, { body: { receive_statuses: on } });
    expect((await change(true)).body).toMatchObject({ receive_statuses: true });
    expect(api.shards.calls).not.toContain("configure statuses true");
    await api.request("POST", `${path}/whatsapp/connect`, { body: { method: "qr" } });
    expect(api.shards.connects.at(-1)).toEqual({ method: "qr", statuses: true });
    expect((await change(false)).body).toMatchObject({ receive_statuses: false });
    expect(api.shards.calls.at(-1)).toBe("configure statuses false");
    api.shards.away = true;
    expect((await change(true)).status).toBe(503);
    expect((await api.request("GET", path)).body).toMatchObject({ receive_statuses: true });
    expect((await api.request("PATCH", path, { body: { name: "Aurora" } })).status).toBe(200);
    api.shards.away = false;
    expect((await change(true)).status).toBe(200);
    expect(api.shards.calls.at(-1)).toBe("configure statuses true");
  });

  test.each(["request", "answer"] as const)("hands over the stored setting after a late %s", async (late) => {
    const { id } = await api.business();
    const path = `/v1/businesses/${id}`;
    const change = (on: boolean) => api.request("PATCH", path, { body: { receive_statuses: on } });
    await api.request("POST", `${path}/whatsapp/connect`, { body: { method: "qr" } });
    const delayed = Promise.withResolvers<void>();
    let rounds = 0;
    let held: boolean | undefined;
    const configure = spyOn(api.shards, "configure").mockImplementation(async (_at, _id, { statuses }) => {
      const isFirst = ++rounds === 1;
      if (late === "answer") held = statuses;
      if (isFirst) await delayed.promise;
      if (late === "request") held = statuses;
    });
    const first = change(true);
    await until(() => rounds === 1, { what: "the first request to the shard" });
    expect((await change(false)).status).toBe(200);
    delayed.resolve();
    expect((await first).status).toBe(200);
    configure.mockRestore();
    const { receive_statuses } = (await api.request("GET", path)).body;
    expect(held).toBe(receive_statuses);
  });

  test("names its linked devices from the next connect on", async () => {
    const created = await api.request("POST", "/v1/businesses", { body: { name: "Padaria", device_name: "Aurora" } });
    expect(created.body).toMatchObject({ device_name: "Aurora" });
    const path = `/v1/businesses/${created.body.id}`;
    const linkedAs = async (body: object = {}) => {
      await api.request("POST", `${path}/whatsapp/connect`, { body: { method: "qr", ...body } });
      return api.shards.connects.at(-1)!.device_name;
    };
    expect(await linkedAs()).toBe("Aurora");
    expect(await linkedAs({ device_name: "The till" })).toBe("The till");
    await api.request("PATCH", path, { body: { device_name: "São João" } });
    expect(await linkedAs()).toBe("São João");
    for (const device_name of ["", "a".repeat(51), "a\nb", "\u202eb", "<b>"])
      expect((await api.request("PATCH", path, { body: { device_name } })).status).toBe(400);
    await api.request("PATCH", path, { body: { device_name: null } });
    expect(await linkedAs()).toBeUndefined();
  });

  test("is validated field by field", async () => {
    const answer = await api.request("POST", "/v1/businesses", { body: { name: "", time_zone: "Mars/Olympus" } });
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map((fault: { field: string }) => fault.field)).toEqual(["name", "time_zone"]);
    const { id } = await api.business();
    expect((await api.request("PATCH", `/v1/businesses/${id}`, { body: {} })).status).toBe(400);
  });

  test("answers 404 for any unknown id", async () => {
    for (const id of ["01900000-0000-7000-8000-000000000000", "nonsense", "%00", "'"]) {
      const answer = await api.request("GET", `/v1/businesses/${id}`);
      expect(answer.status, id).toBe(404);
      expect(answer.body.type).toBe("urn:prosaas:problem:not_found");
    }
  });

  test("requires an admin key to create, list and delete", async () => {
    const { id, key } = await api.business();
    expect((await api.request("POST", "/v1/businesses", { key, body: { name: "x" } })).status).toBe(404);
    expect((await api.request("GET", "/v1/businesses", { key })).status).toBe(404);
    expect((await api.request("DELETE", `/v1/businesses/${id}`, { key })).status).toBe(404);
    expect((await api.request("GET", "/v1/admin/shards", { key })).status).toBe(404);
  });
});

describe("deleting a business", () => {
  test("logs out, answers 404 and revokes its keys", async () => {
    const { id, key } = await api.business();
    await api.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { key, body: { method: "qr" } });
    expect((await api.request("DELETE", `/v1/businesses/${id}`)).status).toBe(204);
    expect(api.shards.sessions.has(id)).toBeFalse();
    expect((await api.request("GET", `/v1/businesses/${id}`)).status).toBe(404);
    expect((await api.request("GET", `/v1/businesses/${id}/messages`)).status).toBe(404);
    expect((await api.request("GET", `/v1/businesses/${id}`, { key })).status).toBe(401);
    expect((await api.request("DELETE", `/v1/businesses/${id}`)).status).toBe(404);
  });

  test("fails while its shard is unreachable", async () => {
    const { id } = await api.business();
    await api.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { body: { method: "qr" } });
    api.shards.away = true;
    expect((await api.request("DELETE", `/v1/businesses/${id}`)).status).toBe(503);
    expect((await api.request("GET", `/v1/businesses/${id}`)).status).toBe(200);
  });
});
