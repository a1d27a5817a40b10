import { describe, expect, test } from "bun:test";
import { Playout } from "./playout.ts";

function congestible() {
  const sent: string[] = [];
  const socket = {
    buffered: 0,
    sent,
    send: (text: string) => sent.push(text),
    getBufferedAmount: () => socket.buffered,
  };
  return socket;
}

const kinds = (sent: string[]) => sent.map((text) => (JSON.parse(text) as { event: string }).event);
const second = Buffer.alloc(8000, 0xff);

describe("playout", () => {
  test("passes frames at once to a ready carrier", () => {
    const socket = congestible();
    const playout = new Playout(socket, "MZ1", () => {});
    playout.audio(second);
    playout.mark("end");
    expect(kinds(socket.sent)).toEqual(["media", "mark"]);
    expect(JSON.parse(socket.sent[0]!)).toEqual({
      event: "media",
      streamSid: "MZ1",
      media: { payload: second.toString("base64") },
    });
  });

  test("queues a minute, then drops and reports", () => {
    const socket = congestible();
    const dropped: number[] = [];
    const playout = new Playout(socket, "MZ1", (ms) => dropped.push(ms));
    socket.buffered = 1_000_000;
    for (let i = 0; i < 62; i++) playout.audio(second);
    playout.mark("end");
    expect(socket.sent).toEqual([]);
    expect(dropped).toEqual([1000, 1000]);
    socket.buffered = 0;
    playout.drained();
    expect(kinds(socket.sent)).toEqual([...Array.from({ length: 60 }, () => "media"), "mark"]);
  });

  test("clear drops the queue and returns its marks", () => {
    const socket = congestible();
    const playout = new Playout(socket, "MZ1", () => {});
    socket.buffered = 1_000_000;
    playout.audio(second);
    playout.mark("end");
    playout.clear();
    expect(kinds(socket.sent)).toEqual(["clear"]);
    socket.buffered = 0;
    playout.audio(second);
    playout.drained();
    expect(kinds(socket.sent)).toEqual(["clear", "mark", "media"]);
  });
});
