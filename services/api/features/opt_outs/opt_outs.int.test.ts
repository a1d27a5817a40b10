import { expect, test } from "bun:test";
import { useHarness } from "../../testing/use_harness.ts";

const api = useHarness();

test("opt-outs are unique, listed and deleted", async () => {
  const { id, key } = await api.business();
  const path = `/v1/businesses/${id}/opt_outs`;
  const first = await api.request("POST", path, { key, body: { chat: "+5511999999999" } });
  expect((await api.request("POST", path, { key, body: { chat: "5511999999999" } })).body).toEqual(first.body);
  await api.request("POST", path, { key, body: { chat: "5511888888888" } });
  const page = (await api.request("GET", `${path}?limit=1`, { key })).body;
  expect(page.data).toMatchObject([{ chat: "5511888888888@s.whatsapp.net" }]);
  const rest = (await api.request("GET", `${path}?cursor=${page.next_cursor}`, { key })).body;
  expect(rest.data).toEqual([first.body]);
  expect((await api.request("DELETE", `${path}/5511999999999`, { key })).status).toBe(204);
  expect((await api.request("DELETE", `${path}/5511999999999`, { key })).status).toBe(404);
  expect((await api.request("DELETE", `${path}/nobody`, { key })).status).toBe(404);
});
