import { expect } from "bun:test";
import type { Harness } from "./harness.ts";

/** Origin of the console in the harness. */
export const consoleOrigin = "https://api.example.com";

/** Signs in with the admin key. Returns the cookie of the console session. */
export async function signIn(api: Harness): Promise<string> {
  const signedIn = await api.request("POST", "/v1/console/session");
  expect(signedIn.status).toBe(201);
  return signedIn.headers.get("set-cookie")!.split(";")[0]!;
}

/** Sends a request with the cookie of a console session and without a key. */
export const requestWithCookie = (
  api: Harness,
  method: string,
  path: string,
  cookie: string,
  headers: Record<string, string> = {},
  body?: unknown,
) => api.request(method, path, { key: "", body, headers: { cookie, ...headers } });
