import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { acknowledgementOf, baileysEvents, notifications, unknownName } from "./protocol.ts";

const library = dirname(Bun.resolveSync("@whiskeysockets/baileys", import.meta.dir));
const sockets = readdirSync(join(library, "Socket")).filter((name) => name.endsWith(".js"));
const sources = sockets.map((name) => readFileSync(join(library, "Socket", name), "utf8")).join("\n");
const namesIn = (pattern: RegExp, text = sources) =>
  [...new Set([...text.matchAll(pattern)].map(([, name]) => name!))].toSorted();

/** Changes with Baileys: then the ledger has to change, too. */
const listeners = [
  "CB:ack,class:message",
  "CB:call",
  "CB:chatstate",
  "CB:failure",
  "CB:ib,,dirty",
  "CB:ib,,downgrade_webclient",
  "CB:ib,,edge_routing",
  "CB:ib,,offline",
  "CB:ib,,offline_preview",
  "CB:iq,,pair-success",
  "CB:iq,type:set,pair-device",
  "CB:message",
  "CB:notification",
  "CB:presence",
  "CB:receipt",
  "CB:stream:error",
  "CB:success",
  "CB:xmlstreamend",
];

/** An example of the stanza that a listener waits for. */
function stanzaOf(listener: string) {
  const [tag = "", type = "", child = ""] = listener.replace("CB:", "").split(",");
  const [name, value] = type.split(":");
  return {
    tag,
    attrs: name && value ? { [name]: value } : {},
    content: child === "" ? [] : [{ tag: child, attrs: {} }],
  };
}

describe("the ledger", () => {
  test("knows every stanza that the installed Baileys waits for", () => {
    expect(namesIn(/ws\.on\('(CB:[^']+)'/g)).toEqual(listeners);
    const withoutType = listeners.filter((name) => name !== "CB:notification").map(stanzaOf);
    expect(withoutType.map((stanza) => [stanza.tag, unknownName(stanza)])).toEqual(
      withoutType.map(({ tag }) => [tag, undefined]),
    );
  });

  test("knows every notification that the installed Baileys handles", () => {
    const body = /const processNotification = async[\s\S]*?\n    };/.exec(sources)?.[0] ?? "";
    const types = namesIn(/\n {12}case '([^']+)'/g, body);
    expect(types).toEqual([
      "account_sync",
      "devices",
      "encrypt",
      "link_code_companion_reg",
      "mediaretry",
      "mex",
      "newsletter",
      "picture",
      "privacy_token",
      "server_sync",
      "w:gp2",
    ]);
    for (const type of types) expect(notifications).toHaveProperty([type]);
  });

  test("has the events of the installed Baileys", () => {
    const types = readFileSync(join(library, "Types", "Events.d.ts"), "utf8");
    const map = /type BaileysEventMap = \{([\s\S]*?)\n\};/.exec(types)?.[1] ?? "";
    expect(namesIn(/^ {4}'?([a-z][a-z.-]*)'?:/gm, map)).toEqual(Object.keys(baileysEvents).toSorted());
  });
});

describe("unknownName", () => {
  test.each([
    ["a tag", { tag: "hologram", attrs: {} }, "hologram"],
    ["a notification", { tag: "notification", attrs: { type: "hologram" } }, "notification/hologram"],
    ["a receipt", { tag: "receipt", attrs: { type: "smelled" } }, "receipt/smelled"],
    ["a ciphertext", { tag: "message", attrs: {}, content: [{ tag: "enc", attrs: { type: "pqmsg" } }] }, "enc/pqmsg"],
    ["a child", { tag: "ib", attrs: {}, content: [{ tag: "hologram", attrs: {} }] }, "ib/hologram"],
    ["a query", { tag: "iq", attrs: { type: "set" }, content: [{ tag: "hologram", attrs: {} }] }, "iq/hologram"],
    ["a property of objects", { tag: "toString", attrs: {} }, "toString"],
  ])("names %s that is not in the ledger", (_, stanza, expected) => {
    expect(unknownName(stanza)).toBe(expected);
  });

  test.each([
    ["a frame of the handshake", {}],
    ["an answer", { tag: "iq", attrs: { type: "result" } }],
    ["a tick", { tag: "receipt", attrs: {} }],
    ["a ping", { tag: "iq", attrs: { type: "get", xmlns: "urn:xmpp:ping" } }],
  ])("is undefined for %s", (_, stanza) => {
    expect(unknownName(stanza)).toBeUndefined();
  });
});

describe("acknowledgementOf", () => {
  test("acknowledges an unknown tag once", () => {
    const attrs = { id: "1", from: "s.whatsapp.net" };
    expect(acknowledgementOf({ tag: "hologram", attrs })).toEqual({
      tag: "ack",
      attrs: { id: "1", to: "s.whatsapp.net", class: "hologram" },
    });
    expect(acknowledgementOf({ tag: "notification", attrs })).toBeUndefined();
    expect(acknowledgementOf({ tag: "hologram", attrs: {} })).toBeUndefined();
  });

  test("acknowledges a channel's status", () => {
    const attrs = { id: "1", from: "120363000000000001@newsletter", type: "text" };
    expect(acknowledgementOf({ tag: "status", attrs })).toEqual({
      tag: "ack",
      attrs: { id: "1", to: attrs.from, class: "status", type: "text" },
    });
    expect(acknowledgementOf({ tag: "status", attrs: { id: "1", from: "status@broadcast" } })).toBeUndefined();
  });
});
