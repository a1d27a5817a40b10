import { describe, expect, test } from "bun:test";
import { findNode } from "./find_node.ts";

const nodes = [
  { id: "abcd1111-0", name: "client-1", status: "ready" },
  { id: "abcd2222-0", name: "client-2", status: "down" },
  { id: "ffff3333-0", name: "abcd", status: "ready" },
];

describe("findNode", () => {
  test.each([
    ["client-2", "abcd2222-0"],
    ["abcd1111-0", "abcd1111-0"],
    ["abcd2", "abcd2222-0"],
    ["abcd", "ffff3333-0"],
  ])("finds %s", (text, id) => {
    expect(findNode(nodes, text).id).toBe(id);
  });

  test("prefers the ready one of a name", () => {
    const replaced = { id: "eeee4444-0", name: "client-2", status: "ready" };
    expect(findNode([...nodes, replaced], "client-2")).toBe(replaced);
    expect(() => findNode([...nodes, { ...replaced, status: "down" }], "client-2")).toThrow("ambiguous");
  });

  test("names the nodes otherwise", () => {
    expect(() => findNode(nodes, "client")).toThrow('no client "client"; it has client-1 (abcd1111), client-2');
    expect(() => findNode(nodes, "abc")).toThrow('no client "abc"');
    expect(() => findNode(nodes.slice(0, 2), "abcd")).toThrow("ambiguous");
    expect(() => findNode(nodes, "")).toThrow("no client");
  });
});
