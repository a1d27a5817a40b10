import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHarness } from "../../testing/harness.ts";
import type { Harness } from "../../testing/harness.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());

const origin = "https://api.example.com";

async function signIn(): Promise<string> {
  const signedIn = await api.request("POST", "/v1/console/session");
  expect(signedIn.status).toBe(201);
  return signedIn.headers.get("set-cookie")!.split(";")[0]!;
}
const asConsole = (
  method: string,
  path: string,
  cookie: string,
  headers: Record<string, string> = {},
  body?: unknown,
) => api.request(method, path, { key: "", body, headers: { cookie, ...headers } });

test("the cookie is one that no script reads and no other site sends", async () => {
  const { headers, body } = await api.request("POST", "/v1/console/session");
  const cookie = headers.get("set-cookie")!;
  for (const attribute of ["__Host-prosaas=", "HttpOnly", "Secure", "SameSite=Strict", "Path=/"])
    expect(cookie).toContain(attribute);
  expect(Date.parse(body.expires_at)).toBeGreaterThan(Date.now() + 11 * 3_600_000);
  expect(JSON.stringify(await api.database.owner`select * from console_sessions`)).not.toContain(
    cookie.split(/[=;]/)[1]!,
  );
});

test("the cookie stands for the admin key", async () => {
  const cookie = await signIn();
  expect((await asConsole("GET", "/v1/console/session", cookie)).body.key_prefix).toBe(api.adminKey.slice(4, 12));
  expect((await asConsole("GET", "/v1/businesses", cookie)).status).toBe(200);
  const created = await asConsole("POST", "/v1/businesses", cookie, { origin }, { name: "By the console" });
  expect(created.status).toBe(201);
});

test("a change with the cookie is refused unless it comes from a page of the console", async () => {
  const cookie = await signIn();
  const foreign: Record<string, string>[] = [
    {},
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: `${origin}.evil.example` },
  ];
  for (const headers of foreign) {
    expect((await asConsole("POST", "/v1/businesses", cookie, headers, { name: "x" })).status).toBe(403);
    expect((await asConsole("DELETE", "/v1/console/session", cookie, headers)).status).toBe(403);
  }
});

test("signing out ends the session, and so does the end of its key", async () => {
  const cookie = await signIn();
  expect((await asConsole("DELETE", "/v1/console/session", cookie, { origin })).status).toBe(204);
  expect((await asConsole("GET", "/v1/businesses", cookie)).status).toBe(401);

  const { body: second } = await api.request("POST", "/v1/admin/keys", { body: {} });
  const { headers } = await api.request("POST", "/v1/console/session", { key: second.key });
  const other = headers.get("set-cookie")!.split(";")[0]!;
  expect((await asConsole("GET", "/v1/businesses", other)).status).toBe(200);
  await api.request("DELETE", `/v1/admin/keys/${second.id}`);
  expect((await asConsole("GET", "/v1/businesses", other)).status).toBe(401);
});

test("a session ends with its time", async () => {
  const cookie = await signIn();
  await api.database.owner`update console_sessions set expires_at = now()`;
  expect((await asConsole("GET", "/v1/businesses", cookie)).status).toBe(401);
});

test("a session makes no other, so that it ends with its time", async () => {
  const cookie = await signIn();
  expect((await asConsole("POST", "/v1/console/session", cookie, { origin })).status).toBe(403);
});

test("a business's key signs nobody in, and a made-up cookie opens nothing", async () => {
  const { key } = await api.business();
  expect((await api.request("POST", "/v1/console/session", { key })).status).toBe(404);
  expect((await asConsole("GET", "/v1/businesses", "__Host-prosaas=made-up")).status).toBe(401);
});

test("what is changed with an admin key is written down with its outcome, also by the cookie; reading is not", async () => {
  const { id } = await api.business();
  await api.request("PATCH", `/v1/businesses/${id}`, {
    body: { name: "Renamed" },
    headers: { "x-request-id": "audit-me-1" },
  });
  await asConsole("DELETE", `/v1/businesses/${id}`, await signIn(), { origin, "x-request-id": "audit-me-2" });
  await api.request("GET", `/v1/businesses/${id}`);
  const { body } = await api.request("GET", `/v1/admin/audit?business_id=${id}`);
  expect(
    body.data.map(({ method, status, request_id }: Record<string, unknown>) => [method, status, request_id]),
  ).toEqual([
    ["DELETE", 204, "audit-me-2"],
    ["PATCH", 200, "audit-me-1"],
    ["POST", 201, expect.any(String)],
  ]);
  expect(body.data[0]).toMatchObject({ key_prefix: api.adminKey.slice(4, 12), path: `/v1/businesses/${id}` });
});

test("a refused change is written down too", async () => {
  const { id } = await api.business();
  await api.request("PATCH", `/v1/businesses/${id}`, { body: {} });
  const { body } = await api.request("GET", `/v1/admin/audit?business_id=${id}&limit=1`);
  expect(body.data).toMatchObject([{ method: "PATCH", status: 400 }]);
});
