import { describe, expect, test } from "bun:test";
import { chooseNodes, formatNodes, parseNodes } from "./nodes.ts";

const text = `# name role address pool
server-1  server  10.0.0.11
client-1  client  10.0.0.21  data   # with a big disk

client-2  client  10.0.0.22
`;
const nodes = parseNodes(text);

describe("parseNodes", () => {
  test("reads names, roles, addresses and pools", () => {
    expect(nodes).toEqual([
      { name: "server-1", role: "server", address: "10.0.0.11", pool: "default" },
      { name: "client-1", role: "client", address: "10.0.0.21", pool: "data" },
      { name: "client-2", role: "client", address: "10.0.0.22", pool: "default" },
    ]);
    expect(parseNodes(formatNodes(nodes))).toEqual(nodes);
  });

  test("names every fault with its line", () => {
    const faulty =
      "a server 10.0.0.1\nb master 10.0.0.2\nc client 10.0.0\nd client 10.0.0.4 data extra\na client 10.0.0.1";
    expect(() => parseNodes(faulty)).toThrow(
      "line 2: a role is server or client; line 3: an address is that of IPv4; line 4: a line is NAME ROLE ADDRESS " +
        "[POOL]; 2 nodes have the name a; 2 nodes have the address 10.0.0.1",
    );
  });

  test("refuses a cluster without a server", () => {
    expect(() => parseNodes("a client 10.0.0.1")).toThrow("there is no server");
  });
});

test("chooseNodes lists the nodes when a name is wrong", () => {
  expect(chooseNodes(nodes, ["client-2"]).map(({ address }) => address)).toEqual(["10.0.0.22"]);
  expect(chooseNodes(nodes, [])).toEqual(nodes);
  expect(() => chooseNodes(nodes, ["client-9"])).toThrow("no node client-9; it has server-1, client-1, client-2");
});
