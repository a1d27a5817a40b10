import { afterAll, beforeAll, expect } from "bun:test";
import { connect } from "node:net";
import { forPlatform } from "../../../lib/db/index.ts";
import type { BusinessScope } from "../../../lib/db/index.ts";
import { signatureOf } from "../twilio/signature.ts";
import { sid } from "./call.ts";
import { authToken, startStack } from "./stack.ts";
import type { Stack } from "./stack.ts";

export type Fields = Record<string, string>;

export type Forgery = {
  method?: string;
  /** Signed instead of the request's own URL or fields. */
  signedUrl?: string;
  signedFields?: Fields;
  token?: string;
  signature?: string | null;
  contentType?: string;
  body?: string | ReadableStream;
};

export const without = (fields: Fields, name: string): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name));

/** A stack with three calls, and requests to it that a test can forge. */
export function useForgeryStage() {
  let stack: Stack;
  let number: string;
  let scope: BusinessScope;
  let offered: string;
  let resumed: string;
  let ended: string;

  beforeAll(async () => {
    stack = await startStack();
    ({ number, scope } = await stack.business());
    offered = await begin();
    resumed = await begin();
    expect((await post("/action?stream=1", form(resumed))).status).toBe(200);
    ended = await begin();
    expect((await post("/status", form(ended, { CallStatus: "completed", CallDuration: "7" }))).status).toBe(204);
  });
  afterAll(() => stack.close());

  async function begin(): Promise<string> {
    const callSid = sid("CA");
    expect((await post("/voice", form(callSid))).status).toBe(200);
    return callSid;
  }

  const form = (callSid: string, more: Fields = {}): Fields => ({
    AccountSid: stack.carrier.accountSid,
    CallSid: callSid,
    CallStatus: "in-progress",
    Direction: "inbound",
    From: "+15551112222",
    To: number,
    ...more,
  });
  async function post(path: string, fields: Fields, forgery: Forgery = {}) {
    const url = `${stack.door.url}/webhooks/twilio${path}`;
    const signed = signatureOf(
      forgery.token ?? authToken,
      forgery.signedUrl ?? url,
      Object.entries(forgery.signedFields ?? fields),
    );
    const signature = forgery.signature === undefined ? signed : forgery.signature;
    const response = await fetch(url, {
      method: forgery.method ?? "POST",
      // A test may have closed the connections of earlier requests at the door.
      keepalive: false,
      headers: {
        "content-type": forgery.contentType ?? "application/x-www-form-urlencoded",
        ...(signature === null ? {} : { "x-twilio-signature": signature }),
      },
      ...(forgery.method === "GET" ? {} : { body: forgery.body ?? new URLSearchParams(fields).toString() }),
    });
    return { status: response.status, text: await response.text() };
  }

  /** The service's whole state, without the leases and positions of live calls, which change by themselves. */
  async function memory(): Promise<unknown> {
    const keys = (await stack.redis.keys("prosaas:{calls}:*")).toSorted();
    const calls = await Promise.all(
      keys.filter((key) => key.includes(":call:")).map((key) => stack.redis.hgetall(key)),
    );
    const rows = await forPlatform(stack.database.db).run(async (sql) => ({
      calls: await sql`select * from calls order by call_sid`,
      recordings: await sql`select * from call_recordings order by recording_sid`,
    }));
    return {
      keys,
      calls: calls.map(({ version: _, position_ms: __, fruitless: ___, ...call }) => call),
      leases: await stack.redis.zrange("prosaas:{calls}:active", "0", "-1"),
      rows: { calls: [...rows.calls], recordings: [...rows.recordings] },
    };
  }

  async function changesNothing<T>(work: () => Promise<T>): Promise<T> {
    const before = await memory();
    const result = await work();
    expect(await memory()).toEqual(before);
    expect((await fetch(`${stack.door.url}/nothing`, { keepalive: false })).status).toBe(404);
    return result;
  }

  /** The HTTP status with which an upgrade is answered; 101 where it is taken. */
  async function requestStream(
    callSid: string,
    { signed = callSid, upgrade = true, signature = "" } = {},
  ): Promise<number> {
    const url = `${stack.door.url.replace("http", "ws")}/media/${signed}`;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const socket = connect(stack.door.port, "127.0.0.1", () => {
      const lines = [
        `GET /media/${callSid} HTTP/1.1`,
        "Host: calls",
        ...(upgrade
          ? [
              "Upgrade: websocket",
              "Connection: Upgrade",
              "Sec-WebSocket-Version: 13",
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ]
          : []),
        ...(signature === "none" ? [] : [`X-Twilio-Signature: ${signature || signatureOf(authToken, url, [])}`]),
      ];
      socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    });
    socket.on("data", (data) => {
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(data.toString())?.[1]));
      socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the connection was closed without an answer")));
    return promise;
  }

  return {
    get stack() {
      return stack;
    },
    get scope() {
      return scope;
    },
    /** A call that was offered its first stream. */
    get offered() {
      return offered;
    },
    /** A call that was offered its second stream. */
    get resumed() {
      return resumed;
    },
    /** A call that has ended. */
    get ended() {
      return ended;
    },
    begin,
    form,
    post,
    voice: (more: Fields = {}, forgery: Forgery = {}) => post("/voice", form(sid("CA"), more), forgery),
    changesNothing,
    requestStream,
  };
}
