import { describe, expect, test } from "bun:test";
import { decodeBinaryNode, encodeBinaryNode } from "@whiskeysockets/baileys";
import type { BinaryNode } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";

/** The longest text, 65,536 characters of three bytes each, to the devices of a contact and of the business. */
const longest = { bytes: 196_608, devices: 9 };

/** A message's stanza with a ciphertext for each device. */
function stanza(bytes: number, devices: number): BinaryNode {
  const to = (_: unknown, n: number): BinaryNode => ({
    tag: "to",
    attrs: { jid: `5511987654321:${n + 1}@s.whatsapp.net` },
    content: [{ tag: "enc", attrs: { v: "2", type: "msg" }, content: randomBytes(bytes) }],
  });
  const participants = { tag: "participants", attrs: {}, content: Array.from({ length: devices }, to) };
  return { tag: "message", attrs: { id: "3EB0", type: "text" }, content: [participants] };
}

/** Least milliseconds of CPU time that one call takes: other work of the machine does not count. */
function leastCpuMs(work: () => unknown): number {
  const times = Array.from({ length: 10 }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return Math.min(...times);
}

describe("the encoding of a stanza", () => {
  test.each([0, 1, 255, 256, 65_536, longest.bytes])("keeps contents of %d bytes", async (bytes) => {
    const sent = stanza(bytes, 2);
    expect(await decodeBinaryNode(encodeBinaryNode(sent))).toEqual(sent);
  });

  test("blocks for few milliseconds with the longest text", () => {
    const sent = stanza(longest.bytes, longest.devices);
    expect(leastCpuMs(() => encodeBinaryNode(sent))).toBeLessThan(10);
  });
});
