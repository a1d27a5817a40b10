import { describe, expect, test } from "bun:test";
import { endOf } from "./ends.ts";
import { UnacknowledgedStanzas } from "./unacknowledged_stanzas.ts";

const end = (id: string) => endOf({ output: { statusCode: 500 }, data: { tag: "ack", attrs: { id } } });

describe("a stream error over a missing acknowledgement", () => {
  test("names the stanza, bounded", () => {
    expect(end("3EB0")).toMatchObject({ source: "stream_error", child: "ack", stanza: "3EB0" });
    expect(end("x".repeat(10_000)).stanza!.length).toBeLessThan(200);
  });

  test("recurs once for each stanza", () => {
    const stanzas = new UnacknowledgedStanzas();
    expect(["a", "b", "a", "a"].map((id) => stanzas.recurs(id))).toEqual([false, false, true, false]);
  });
});
