import { afterEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { until } from "../../../lib/testing/until.ts";
import type { AgentStart, FromAgent } from "../agent/protocol.ts";
import { AgentLink } from "./agent_link.ts";
import type { AgentLinkOptions } from "./agent_link.ts";

type Received = { texts: Record<string, unknown>[]; audio: Buffer[]; authorization: string | null };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function agentOn(port = 0, onOpen: (socket: Bun.ServerWebSocket) => void = () => {}) {
  const received: Received = { texts: [], audio: [], authorization: null };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch: (request, bun) => {
      received.authorization = request.headers.get("authorization");
      return bun.upgrade(request) ? undefined : new Response(null, { status: 426 });
    },
    websocket: {
      open: onOpen,
      message: (_, data) => {
        if (typeof data === "string") received.texts.push(JSON.parse(data) as Record<string, unknown>);
        else received.audio.push(data);
      },
    },
  });
  closers.push(() => server.stop(true));
  return { received, port: server.port!, stop: () => server.stop(true) };
}

const start: AgentStart = {
  type: "start",
  version: 1,
  call_sid: "CA1",
  business_id: "b",
  direction: "inbound",
  from: "+1",
  to: "+2",
  resumed: false,
  position_ms: 0,
  state: null,
};

function link(port: number, more: Partial<AgentLinkOptions> = {}) {
  const seen = { messages: [] as FromAgent[], audio: [] as Buffer[], dropped: [] as string[], gone: 0 };
  const opened = new AgentLink({
    agent: { url: `ws://127.0.0.1:${port}/`, token: "the agent's own token" },
    start: () => start,
    onAudio: (audio) => seen.audio.push(audio),
    onMessage: (message) => seen.messages.push(message),
    onDropped: (reason) => seen.dropped.push(reason),
    onGone: () => (seen.gone += 1),
    ...more,
  });
  closers.push(() => opened.close("ended"));
  return { link: opened, seen };
}

const frame = (n: number) => Buffer.alloc(160, n);

describe("agent link", () => {
  test("authenticates, announces the call, then sends audio", async () => {
    const { received, port } = agentOn();
    const { link: call } = link(port);
    call.sendAudio(frame(1));
    call.sendAudio(frame(2));
    await until(() => received.audio.length === 2, { what: "the audio" });
    expect(received.authorization).toBe("Bearer the agent's own token");
    expect(received.texts).toEqual([start]);
    expect(received.audio).toEqual([frame(1), frame(2)]);
  });

  test("buffers two seconds for an unavailable agent", async () => {
    const away = agentOn();
    await away.stop();
    const { link: call, seen } = link(away.port);
    for (let n = 0; n < 130; n++) call.sendAudio(frame(n));
    expect(seen.dropped).toHaveLength(30);
    const { received } = agentOn(away.port);
    await until(() => received.audio.length === 100, { what: "the audio that was kept" });
    expect(received.audio[0]).toEqual(frame(30));
  });

  test("buffers keys in order, up to a bound", async () => {
    const away = agentOn();
    await away.stop();
    const { link: call, seen } = link(away.port);
    call.send({ type: "dtmf", digit: "1" });
    // More than two seconds, so that audio is dropped around the keys.
    for (let n = 0; n < 120; n++) call.sendAudio(frame(n));
    for (let n = 0; n < 70; n++) call.send({ type: "dtmf", digit: String(n % 10) });
    call.send({ type: "mark", name: "of a connection that is gone" });
    expect(seen.dropped).toHaveLength(20 + 7);
    const { received } = agentOn(away.port);
    await until(() => received.texts.length === 65 && received.audio.length === 100, { what: "what was kept" });
    expect(received.texts[0]).toEqual(start);
    expect(received.texts.slice(1, 4)).toEqual(["1", "0", "1"].map((digit) => ({ type: "dtmf", digit })));
  });

  test("reconnects to an agent that disconnects", async () => {
    let connections = 0;
    const { received, port } = agentOn(0, (socket) => {
      connections += 1;
      if (connections === 1) socket.terminate();
    });
    link(port);
    await until(() => received.texts.length > 0 && connections === 2, { what: "the second connection" });
    expect(received.texts.at(-1)).toEqual(start);
  });

  test("gives up an unavailable agent once", async () => {
    const away = agentOn();
    await away.stop();
    const { seen } = link(away.port, { patienceMs: 200 });
    await until(() => seen.gone === 1, { what: "the giving up" });
  });

  test("counts and ignores protocol violations", async () => {
    const { port } = agentOn(0, (socket) => {
      for (const text of ["{", "null", '{"type":"levitate"}', '{"type":"mark"}', '{"type":"transfer","to":"112"}'])
        socket.send(text);
      socket.send(JSON.stringify({ type: "state", state: "x".repeat(5000) }));
      socket.send('{"type":"clear"}');
      socket.send(Buffer.from([7]));
    });
    const { seen } = link(port);
    await until(() => seen.audio.length === 1, { what: "the audio behind it" });
    expect(seen.messages).toEqual([{ type: "clear" }]);
    expect(seen.dropped).toEqual(Array.from({ length: 6 }, () => "agent_invalid"));
  });

  test("reports why it closed and stops", async () => {
    let connections = 0;
    const { received, port } = agentOn(0, () => (connections += 1));
    const { link: call, seen } = link(port);
    await until(() => received.texts.length === 1);
    call.close("hung_up");
    await until(() => received.texts.length === 2);
    expect(received.texts[1]).toEqual({ type: "stop", reason: "hung_up" });
    call.sendAudio(frame(1));
    expect([connections, seen.gone, received.audio.length]).toEqual([1, 0, 0]);
  });

  test("drops marks and keys of a stalled agent", async () => {
    const held: Socket[] = [];
    const server = createServer((socket) => {
      held.push(socket);
      socket.once("data", (data) => {
        const key = /sec-websocket-key: (.*)\r/i.exec(String(data))![1]!;
        const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
            `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        socket.pause();
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => {
      for (const socket of held) socket.destroy();
      server.close();
    });
    const { link: opened, seen } = link((server.address() as AddressInfo).port);
    const mark = { type: "mark", name: "m".repeat(256) } as const;
    await until(
      () => {
        for (let n = 0; n < 10_000; n++) opened.send(mark);
        return seen.dropped.length > 0;
      },
      { what: "the first that is dropped" },
    );
    expect(new Set(seen.dropped)).toEqual(new Set(["agent_slow"]));
  });
});
