import { afterEach, describe, expect, test } from "bun:test";
import { HttpFailure } from "../cli/operator/http.ts";
import { createNomad } from "./nomad.ts";

let server: Bun.Server<undefined> | undefined;
let requests = 0;

/** Starts a server that gives each answer once, and the last of them to every further request. */
function answering(...answers: readonly { status: number; body: string }[]): string {
  requests = 0;
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => {
      const { status, body } = answers[Math.min(requests++, answers.length - 1)]!;
      return new Response(body, { status });
    },
  });
  return server.url.href;
}

afterEach(() => server?.stop(true));

describe("createNomad", () => {
  const noKeyring = { status: 500, body: "variable error: encrypt: keyring has not been initialized yet" };
  const put = (addr: string, settleMs?: number) =>
    createNomad(addr, settleMs === undefined ? {} : { settleMs })("PUT", "/v1/var/nomad/jobs", { Items: {} });

  test("retries while a new leader has no keyring", async () => {
    expect(await put(answering(noKeyring, noKeyring, { status: 200, body: '{"Path": "nomad/jobs"}' }))).toEqual({
      Path: "nomad/jobs",
    });
    expect(requests).toBe(3);
  });

  test.each(["No cluster leader", "rpc error: node is not the leader"])("retries after %s", async (body) => {
    await put(answering({ status: 500, body }, { status: 200, body: "{}" }));
    expect(requests).toBe(2);
  });

  test("gives up at the deadline", async () => {
    await expect(put(answering(noKeyring), 100)).rejects.toThrow(/keyring has not been initialized yet/);
    expect(requests).toBeGreaterThan(1);
  });

  test.each([
    { status: 500, body: "leadership lost while committing log" },
    { status: 409, body: "cas error: requested index 0" },
    { status: 403, body: "Permission denied" },
  ])("throws $status at once: $body", async (answer) => {
    await expect(put(answering(answer))).rejects.toThrow(HttpFailure);
    expect(requests).toBe(1);
  });
});
