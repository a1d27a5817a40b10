import { describe, expect, test } from "bun:test";
import { useHarness } from "../../testing/use_harness.ts";
import { createBroadcastFixture, person, sale } from "./broadcasts.fixture.ts";

const api = useHarness();

const { newBroadcast, upload } = createBroadcastFixture(() => api);

describe("creating a broadcast", () => {
  test("starts it with recipients and drafts it without", async () => {
    const { created, one, key } = await newBroadcast({
      ...sale,
      recipients: [person(1), person(2), person(1), { to: "5511999999999" }],
    });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      name: "Sale",
      status: "scheduled",
      per_minute: 300,
      time_zone: "UTC",
      quiet_hours: null,
    });
    expect(created.body.recipients).toEqual({
      added: 2,
      duplicates: 1,
      refused: 1,
      faults: [{ line: 4, message: "has no name" }],
    });
    expect(api.woken).toContain(created.body.id);
    expect((await api.request("GET", one, { key })).body.progress).toMatchObject({
      recipients: 2,
      pending: 2,
      sent: 0,
    });
    expect((await newBroadcast()).created.body.status).toBe("draft");
  });

  test("creates one per Idempotency-Key", async () => {
    const { path, key } = await newBroadcast();
    const headers = { "idempotency-key": "sale-1" };
    const body = { ...sale, recipients: [person(1)] };
    const [first, second] = [
      await api.request("POST", path, { key, body, headers }),
      await api.request("POST", path, { key, body, headers }),
    ];
    expect(second.body).toEqual(first.body);
    expect((await api.request("GET", path, { key })).body.data).toHaveLength(2);
  });

  test("is limited to a thousand a day", async () => {
    const { business, path, key } = await newBroadcast();
    await api.database.owner`
      insert into broadcasts (id, business_id, name, text, status, time_zone, per_minute)
      select uuidv7_floor(now() - make_interval(secs => n)), ${business}, 'Sale', 'Hello', 'draft', 'UTC', 300
      from generate_series(1, 999) n`;
    expect(await api.request("POST", path, { key, body: sale })).toMatchObject({
      status: 429,
      body: { type: "urn:prosaas:problem:quota_exceeded" },
    });
    await api.database.owner`
      update broadcasts set id = uuidv7_floor(now() - interval '25 hours')
      where id = (select id from broadcasts where business_id = ${business} order by id limit 1)`;
    expect((await api.request("POST", path, { key, body: sale })).status).toBe(201);
  });

  test("validates field by field", async () => {
    const { path, key } = await newBroadcast();
    const wrong: [Record<string, unknown>, string][] = [
      [{ ...sale, text: "Hello {{name}" }, "text"],
      [{ ...sale, quiet_hours: { from: "21:00", to: "24:00" } }, "quiet_hours.to"],
      [{ ...sale, time_zone: "Mars/Olympus" }, "time_zone"],
      [{ ...sale, per_minute: 0 }, "per_minute"],
      [{ ...sale, scheduled_local: "2036-03-01T09:00", scheduled_at: "2036-03-01T09:00:00Z" }, "scheduled_local"],
      [{ ...sale, scheduled_local: "tomorrow" }, "scheduled_local"],
      [{ ...sale, recipients: [{ to: "nobody" }] }, "recipients.0.to"],
    ];
    for (const [body, field] of wrong) {
      const answer = await api.request("POST", path, { key, body });
      expect(answer.status, field).toBe(400);
      expect(answer.body.errors[0].field).toBe(field);
    }
  });

  test("resolves local times in the time zone", async () => {
    const at = async (more: Record<string, unknown>) =>
      (await newBroadcast({ ...sale, scheduled_local: "2036-03-01T09:00", ...more })).created.body.scheduled_at;
    expect(await at({})).toBe("2036-03-01T09:00:00.000Z");
    expect(await at({ time_zone: "America/Sao_Paulo" })).toBe("2036-03-01T12:00:00.000Z");
  });
});

describe("broadcasts with long texts", () => {
  test("are listed in pages of 256 KB", async () => {
    const { path, key } = await newBroadcast();
    for (let n = 0; n < 6; n++) await api.request("POST", path, { key, body: { ...sale, text: "x".repeat(60_000) } });
    const first = (await api.request("GET", `${path}?limit=200`, { key })).body;
    expect(first.data).toHaveLength(5);
    const second = (await api.request("GET", `${path}?limit=200&cursor=${first.next_cursor}`, { key })).body;
    expect(second).toMatchObject({ data: [{}, { name: sale.name, text: sale.text }], next_cursor: null });
  });
});

describe("recipients", () => {
  test("are added as JSON or CSV, once each", async () => {
    const { one, key } = await newBroadcast();
    const listed = await api.request("POST", `${one}/recipients`, {
      key,
      body: { recipients: [person(1), person(2)] },
    });
    expect(listed.body).toEqual({ added: 2, duplicates: 0, refused: 0, faults: [] });
    const csv =
      '\uFEFFto;Name;name\r\n5511000000002;x;N2\r\n+5511000000003;y;"N;3"\r\nnobody;z;N4\r\n5511000000005;z;\r\n';
    const uploaded = await upload(one, key, csv);
    expect(uploaded.body).toMatchObject({ added: 1, duplicates: 1, refused: 2 });
    expect(uploaded.body.faults.map(({ line }: { line: number }) => line)).toEqual([4, 5]);
    expect((await upload(one, key, csv)).body).toMatchObject({ added: 0, duplicates: 2, refused: 2 });
    const { data } = (await api.request("GET", `${one}/recipients`, { key })).body;
    expect(data.map(({ chat }: { chat: string }) => chat)).toEqual(
      [1, 2, 3].map((n) => `551100000000${n}@s.whatsapp.net`),
    );
    expect(data[0]).toEqual({
      chat: "5511000000001@s.whatsapp.net",
      status: "pending",
      message_id: null,
      error: null,
      sent_at: null,
      delivered_at: null,
      read_at: null,
    });
  });

  test("are listed in order, in pages", async () => {
    const { one, key } = await newBroadcast({ ...sale, recipients: Array.from({ length: 5 }, (_, n) => person(n)) });
    const chats: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const after: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const { body } = await api.request("GET", `${one}/recipients?limit=2${after}`, { key });
      chats.push(...body.data.map(({ chat }: { chat: string }) => chat));
      cursor = body.next_cursor;
    }
    expect(chats).toEqual(Array.from({ length: 5 }, (_, n) => `551100000000${n}@s.whatsapp.net`));
  });
});

describe("a transition", () => {
  test("is idempotent and answers 409 if impossible", async () => {
    const { one, key, created } = await newBroadcast({ ...sale, recipients: [person(1)] });
    const post = async (verb: string) => {
      const { status, body } = await api.request("POST", `${one}/${verb}`, { key });
      return [status, body.status];
    };
    expect(await post("pause")).toEqual([200, "paused"]);
    expect(await post("pause")).toEqual([200, "paused"]);
    expect((await api.request("POST", `${one}/recipients`, { key, body: { recipients: [person(2)] } })).status).toBe(
      409,
    );
    expect(await post("resume")).toEqual([200, "scheduled"]);
    expect(await post("start")).toEqual([200, "scheduled"]);
    expect(await post("cancel")).toEqual([200, "cancelled"]);
    expect((await post("resume"))[0]).toBe(409);
    expect(api.woken.filter((id) => id === created.body.id).length).toBeGreaterThan(1);
    const draft = await newBroadcast();
    expect((await api.request("POST", `${draft.one}/start`, { key: draft.key })).status).toBe(409);
  });

  test("reaches webhooks and live streams", async () => {
    const { business, key, one } = await newBroadcast({ ...sale, recipients: [person(1)] });
    const hooks = `/v1/businesses/${business}/webhooks`;
    const hook = await api.request("POST", hooks, {
      key,
      body: { url: "https://example.com/hook", events: ["broadcast.status"] },
    });
    for (const verb of ["pause", "pause", "cancel"]) await api.request("POST", `${one}/${verb}`, { key });
    const { data } = (await api.request("GET", `${hooks}/${hook.body.id}/deliveries`, { key })).body;
    expect(data.map(({ event }: { event: string }) => event)).toEqual(["broadcast.status", "broadcast.status"]);
    expect(api.woken).toContain(hook.body.id);
    const live = api.published.filter(({ business_id }) => business_id === business);
    expect(live.map(({ event, data: { status } }) => [event, status])).toEqual([
      ["broadcast.status", "paused"],
      ["broadcast.status", "cancelled"],
    ]);
  });
});

describe("rendered texts", () => {
  const long = { name: "Long", text: `Dear {{name}}, ${"{{name}}".repeat(80)}` };

  test("are limited for JSON recipients", async () => {
    const { created, one, key } = await newBroadcast({
      ...long,
      recipients: [{ to: "5511000000001", fields: { name: "x".repeat(900) } }, person(2)],
    });
    expect(created.body.recipients).toMatchObject({ added: 1, refused: 1 });
    const [fault] = created.body.recipients.faults;
    expect(fault.line).toBe(1);
    expect(fault.message).toContain("5511000000001");
    expect(fault.message).toContain("72907 characters");
    expect((await api.request("GET", one, { key })).body.progress.recipients).toBe(1);
  });

  test("are limited for CSV recipients", async () => {
    const { one, key } = await newBroadcast(long);
    const { body } = await upload(one, key, `to,name\n5511000000001,${"x".repeat(900)}\n5511000000002,Ada\n`);
    expect(body).toMatchObject({ added: 1, refused: 1 });
    expect(body.faults[0]).toMatchObject({ line: 2 });
    expect(body.faults[0].message).toContain("5511000000001");
    expect(body.faults[0].message).toContain("72907 characters");
  });
});
