import { describe, expect, test } from "bun:test";
import { clusterSize, layoutOf, nodeOf } from "./layout.ts";

const layout = layoutOf({ name: "lab", network: "198.18.3", servers: 3, clients: 2 });

describe("layoutOf", () => {
  test("names and addresses every node", () => {
    expect(layout.nodes.map(({ name, address, link }) => [name, address, link])).toEqual([
      ["server-1", "198.18.3.11", "pc-lab-s1"],
      ["server-2", "198.18.3.12", "pc-lab-s2"],
      ["server-3", "198.18.3.13", "pc-lab-s3"],
      ["client-1", "198.18.3.101", "pc-lab-c1"],
      ["client-2", "198.18.3.102", "pc-lab-c2"],
    ]);
  });

  test("keeps interface names within Linux's limit", () => {
    const widest = layoutOf({ name: "abcdefgh", network: "198.18.0", servers: 9, clients: 9 });
    const names = [widest.bridge, ...widest.nodes.map(({ link }) => link)];
    expect(Math.max(...names.map((name) => name.length))).toBeLessThanOrEqual(15);
  });

  test("gives two clusters no name in common", () => {
    const other = layoutOf({ name: "lab2", network: "198.18.4", servers: 3, clients: 2 });
    const namesOf = ({ bridge, nodes }: typeof other) => [
      bridge,
      ...nodes.flatMap(({ link, namespace }) => [link, namespace]),
    ];
    expect(namesOf(other).filter((name) => namesOf(layout).includes(name))).toEqual([]);
  });

  test("lists the nodes when a name is wrong", () => {
    expect(nodeOf(layout, "client-2").address).toBe("198.18.3.102");
    expect(() => nodeOf(layout, "client-3")).toThrow("server-1, server-2, server-3, client-1, client-2");
  });
});

describe("clusterSize", () => {
  test("refuses names that no interface may have", () => {
    for (const name of ["", "Lab", "a-b", "averylong", "../x", "1a"])
      expect(clusterSize.safeParse({ name, network: "198.18.0", servers: 1, clients: 1 }).success).toBeFalse();
  });
});
