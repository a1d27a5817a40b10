import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../../lib/testing/until.ts";
import { formatMaintenance, maintenanceKey } from "../cli/scale/maintenance_setting.ts";
import { openEvents, openMedia, serveStreams } from "./edge_streams.ts";
import type { EdgeStream } from "./edge_streams.ts";
import { send, startEdgeUnderTest } from "./edge_under_test.ts";
import type { EdgeUnderTest } from "./edge_under_test.ts";

/* The key prosaas/edge/maintenance: 127.0.0.7 is an operator, 127.0.0.1 a client. */

let edge: EdgeUnderTest;
let events: EdgeStream;
beforeAll(async () => {
  edge = await startEdgeUnderTest(serveStreams("served"));
  events = await openEvents(edge.httpsPort);
});
afterAll(async () => {
  events.close();
  await edge.stop();
});

const get = (target: string, from?: string) =>
  send(edge.httpsPort, `GET ${target} HTTP/1.1\r\nHost: edge`, from === undefined ? {} : { from });
const post = (target: string) =>
  send(edge.httpsPort, `POST ${target} HTTP/1.1\r\nHost: edge\r\nContent-Length: 0\r\nIdempotency-Key: k`);
const set = async (value: string) => {
  await edge.setKey(maintenanceKey, value);
};
/** The workers of the configuration before take requests until they have ended. */
const answers = (status: number) =>
  until(
    async () => {
      const all = await Promise.all(Array.from({ length: 10 }, () => get("/v1/x")));
      return all.every((answer) => answer.status === status);
    },
    { what: `the answer ${status}` },
  );

describe("maintenance", () => {
  test("answers the API with a problem and Retry-After", async () => {
    await set(formatMaintenance({ retryAfterS: 600, allowed: ["127.0.0.7"] }));
    await answers(503);
    for (const answer of [await get("/v1/businesses/b"), await post("/v1/businesses/b/messages")]) {
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "600"]);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      expect(JSON.parse(answer.body)).toMatchObject({ type: "urn:prosaas:problem:unavailable", status: 503 });
    }
  });

  test("serves carriers, pages, the reference and open streams", async () => {
    expect((await post("/webhooks/twilio/voice")).body).toBe("served");
    for (const target of ["/", "/docs", "/v1/openapi.json"]) expect((await get(target)).status).toBe(200);
    const media = await openMedia(edge.httpsPort);
    expect(await media.echoes()).toBeTrue();
    media.close();
    expect(events.isOpen()).toBeTrue();
  });

  test("lets named addresses in", async () => {
    expect((await get("/v1/x", "127.0.0.7")).body).toBe("served");
    expect((await get("/v1/x", "127.0.0.8")).status).toBe(503);
  });

  test("ends", async () => {
    await set("off");
    await answers(200);
  });

  test.each(["600; }", "600 10.0.0.0/8", "-1", "soon"])("is off with %j, which breaks nothing", async (value) => {
    await set("5");
    await answers(503);
    await set(value);
    await answers(200);
  });
});
