import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { Backlog } from "./backlog.ts";

let backlog: Backlog;
let requests: number;

beforeEach(() => {
  requests = 0;
  backlog = new Backlog({ request: () => void (requests += 1), pauseMs: 1 });
});
afterEach(() => backlog.stop());

const info = (tag: string) => ({ tag: "ib", attrs: {}, content: [{ tag, attrs: { count: "300" } }] });
const stanza = { tag: "receipt", attrs: { id: "A", offline: "0" } };
const live = { tag: "receipt", attrs: { id: "A" } };
/** Resolves when a request would have been made. */
async function paused(): Promise<void> {
  let isRequested = false;
  const other = new Backlog({ request: () => void (isRequested = true), pauseMs: 2 });
  other.arrived(info("offline_preview"));
  other.arrived(stanza);
  await until(() => isRequested, { what: "a request of another connection" });
  other.stop();
}
const requested = (times: number) => until(() => requests === times, { what: `${times} requests` });

describe("the backlog", () => {
  test("is requested again with each batch", async () => {
    backlog.arrived(info("offline_preview"));
    for (const times of [1, 2, 3]) {
      for (let n = 0; n < 50; n++) backlog.arrived(stanza);
      await requested(times);
    }
  });

  test("is not requested once it is complete", async () => {
    backlog.arrived(info("offline_preview"));
    backlog.arrived(stanza);
    backlog.arrived(info("offline"));
    backlog.arrived(stanza);
    await paused();
    expect(requests).toBe(0);
  });

  test("is not requested for other stanzas", async () => {
    backlog.arrived(stanza);
    backlog.arrived(info("offline_preview"));
    backlog.arrived(live);
    backlog.arrived(info("edge_routing"));
    await paused();
    expect(requests).toBe(0);
  });
});
