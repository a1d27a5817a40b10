import { rename } from "node:fs/promises";
import type { ValueMemory } from "../../../lib/consul/live_value.ts";

/** No setting in Consul is longer. */
const maxBytes = 4096;

/** Persists the last known text of a setting in a file of the volume. */
export function fileMemory(path: string): ValueMemory {
  return {
    read: async () => {
      const file = Bun.file(path);
      return (await file.exists()) && file.size <= maxBytes ? file.text() : null;
    },
    // A reader never sees a part of the text.
    write: async (text) => {
      await Bun.write(`${path}.new`, text);
      await rename(`${path}.new`, path);
    },
  };
}
