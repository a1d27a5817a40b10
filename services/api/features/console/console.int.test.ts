import { describe, expect, test } from "bun:test";
import { consoleOrigin, requestWithCookie, signIn } from "../../testing/console_session.ts";
import { useHarness } from "../../testing/use_harness.ts";

const origin = consoleOrigin;

const api = useHarness();

describe("the console's cookie", () => {
  test("is HttpOnly and SameSite=Strict", async () => {
    const { headers, body } = await api.request("POST", "/v1/console/session");
    const cookie = headers.get("set-cookie")!;
    for (const attribute of ["__Host-prosaas=", "HttpOnly", "Secure", "SameSite=Strict", "Path=/"])
      expect(cookie).toContain(attribute);
    expect(Date.parse(body.expires_at)).toBeGreaterThan(Date.now() + 11 * 3_600_000);
    expect(JSON.stringify(await api.database.owner`select * from console_sessions`)).not.toContain(
      cookie.split(/[=;]/)[1]!,
    );
  });

  test("authenticates as the admin key", async () => {
    const cookie = await signIn(api);
    expect((await requestWithCookie(api, "GET", "/v1/console/session", cookie)).body.key_prefix).toBe(
      api.adminKey.slice(4, 12),
    );
    expect((await requestWithCookie(api, "GET", "/v1/businesses", cookie)).status).toBe(200);
    const created = await requestWithCookie(
      api,
      "POST",
      "/v1/businesses",
      cookie,
      { origin },
      { name: "By the console" },
    );
    expect(created.status).toBe(201);
  });

  test("is rejected for changes from another origin", async () => {
    const cookie = await signIn(api);
    const foreign: Record<string, string>[] = [
      {},
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: `${origin}.evil.example` },
    ];
    for (const headers of foreign) {
      expect((await requestWithCookie(api, "POST", "/v1/businesses", cookie, headers, { name: "x" })).status).toBe(403);
      expect((await requestWithCookie(api, "DELETE", "/v1/console/session", cookie, headers)).status).toBe(403);
    }
  });
});

describe("a console session", () => {
  test("ends on sign-out and with its key", async () => {
    const cookie = await signIn(api);
    expect((await requestWithCookie(api, "DELETE", "/v1/console/session", cookie, { origin })).status).toBe(204);
    expect((await requestWithCookie(api, "GET", "/v1/businesses", cookie)).status).toBe(401);

    const { body: second } = await api.request("POST", "/v1/admin/keys", { body: {} });
    const { headers } = await api.request("POST", "/v1/console/session", { key: second.key });
    const other = headers.get("set-cookie")!.split(";")[0]!;
    expect((await requestWithCookie(api, "GET", "/v1/businesses", other)).status).toBe(200);
    await api.request("DELETE", `/v1/admin/keys/${second.id}`);
    expect((await requestWithCookie(api, "GET", "/v1/businesses", other)).status).toBe(401);
  });

  test("expires", async () => {
    const cookie = await signIn(api);
    await api.database.owner`update console_sessions set expires_at = now() - interval '1 second'`;
    expect((await requestWithCookie(api, "GET", "/v1/businesses", cookie)).status).toBe(401);
  });

  test("cannot create another session", async () => {
    const cookie = await signIn(api);
    expect((await requestWithCookie(api, "POST", "/v1/console/session", cookie, { origin })).status).toBe(403);
  });

  test("requires an admin key and a valid cookie", async () => {
    const { key } = await api.business();
    expect((await api.request("POST", "/v1/console/session", { key })).status).toBe(404);
    expect((await requestWithCookie(api, "GET", "/v1/businesses", "__Host-prosaas=made-up")).status).toBe(401);
  });
});
