import { describe, expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import { until } from "../../../lib/testing/until.ts";
import { isolateStanzaListeners } from "./stanza_listeners.ts";

const stanza = { tag: "receipt", attrs: { id: "A1" } };

/** An emitter with these listeners, isolated from each other. */
function isolated(event: string, ...listeners: ((received: unknown) => unknown)[]) {
  const emitter = new EventEmitter();
  const failures: { id: string | undefined; message: string }[] = [];
  for (const listener of listeners) emitter.on(event, listener);
  isolateStanzaListeners(emitter, ({ attrs }, error) =>
    failures.push({ id: attrs?.["id"], message: (error as Error).message }),
  );
  return { emitter, failures };
}

const fails = () => {
  throw new Error("malformed");
};

describe("listeners of stanzas", () => {
  test("are called in order although one of them throws", () => {
    const seen: unknown[] = [];
    const note = (name: string) => (received: unknown) => void seen.push([name, received]);
    const { emitter, failures } = isolated("CB:receipt", note("first"), fails, note("last"));
    expect(emitter.emit("CB:receipt", stanza)).toBeTrue();
    expect(seen).toEqual([
      ["first", stanza],
      ["last", stanza],
    ]);
    expect(failures).toEqual([{ id: "A1", message: "malformed" }]);
  });

  test("may reject without ending the process", async () => {
    const { emitter, failures } = isolated("CB:notification", () => Promise.reject(new Error("later")));
    emitter.emit("CB:notification", stanza);
    await until(() => failures.length > 0, { what: "the failure" });
    expect(failures).toEqual([{ id: "A1", message: "later" }]);
  });

  test("leave other events as they are", () => {
    const { emitter, failures } = isolated("close", fails);
    expect(() => emitter.emit("close")).toThrow("malformed");
    expect(failures).toEqual([]);
  });
});
