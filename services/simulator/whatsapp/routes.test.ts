import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startSimulator } from "../simulator.ts";
import type { Simulator } from "../simulator.ts";
import { control } from "../testing/control.ts";

const token = "a token for the control API";
let open: Simulator;
let guarded: Simulator;
let api: ReturnType<typeof control>;

beforeAll(() => {
  open = startSimulator();
  guarded = startSimulator({ token });
  api = control(open.url);
});
afterAll(async () => {
  await open.stop();
  await guarded.stop();
});

describe("the control API", () => {
  test("updates only the given fields of a phone", async () => {
    expect(await api.post("/phones", { phone: "491700000001", name: "Shop" })).toMatchObject({
      status: 201,
      body: { name: "Shop", ticks: "read" },
    });
    expect(await api.post("/phones", { phone: "491700000001", ticks: "none" })).toMatchObject({
      status: 200,
      body: { name: "Shop", ticks: "none" },
    });
    const { body } = await api.get<{ data: { phone: string }[] }>("/phones");
    expect(body.data.filter(({ phone }) => phone === "491700000001")).toHaveLength(1);
  });

  test("sends messages between phones without a client", async () => {
    const { status } = await api.post("/phones/491700000011/messages", { to: "491700000012", text: "hello" });
    expect(status).toBe(201);
    expect(await api.texts("491700000012")).toEqual(["hello"]);
  });

  test("returns no messages for an unused number", async () => {
    expect(await api.get("/phones/491799999999/messages")).toMatchObject({
      status: 200,
      body: { data: [], duplicates: 0 },
    });
  });

  test.each([
    ["/phones", { phone: "+49 170" }, 400],
    ["/phones", { phone: "491700000001", nmae: "x" }, 400],
    ["/phones/491700000001/scan", {}, 400],
    ["/phones/491700000001/scan", { qr: "no,such,code,here" }, 409],
    ["/phones/491788888888/scan", { qr: "2@x,a,b,c" }, 404],
    ["/phones/491700000001/enter_code", { code: "123" }, 400],
    ["/phones/491700000001/enter_code", { code: "ABCD-1234" }, 409],
    ["/phones/491700000001/messages", { to: "49170", text: "" }, 400],
    ["/faults", { kind: "earthquake" }, 400],
    ["/nowhere", {}, 404],
  ])("answers POST %s %j with the problem %d", async (path, body, status) => {
    const answer = await api.post<{ title: string; status: number }>(path, body);
    expect(answer.status).toBe(status);
    expect(answer.body.status).toBe(status);
  });

  test("answers 400 to a body that is not JSON", async () => {
    const response = await fetch(`${open.url}/phones`, { method: "POST", body: "{" });
    expect(response.status).toBe(400);
  });

  test("requires its token, but not for health", async () => {
    expect((await fetch(`${guarded.url}/phones`)).status).toBe(401);
    expect((await fetch(`${guarded.url}/phones`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
    expect((await fetch(`${guarded.opsUrl}/health`)).status).toBe(200);
    expect((await fetch(`${guarded.opsUrl}/ready`)).status).toBe(200);
  });
});

test("the chat path accepts only WebSockets", async () => {
  expect((await fetch(`${open.url}/ws/chat`)).status).toBe(426);
});
