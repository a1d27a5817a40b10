import type { BinaryNode } from "@whiskeysockets/baileys";
import type { EventEmitter } from "node:events";

type Listener = (...args: unknown[]) => unknown;

/**
 * Isolates stanza listeners from each other. Call it once all of them are registered. An emitter stops at the first
 * listener that throws: later listeners, Baileys' own among them, would never see the stanza, and nothing would
 * acknowledge it. A listener's rejected promise would be unhandled and could end the process.
 */
export function isolateStanzaListeners(
  emitter: EventEmitter,
  onFailure: (stanza: Partial<BinaryNode>, error: unknown) => void,
): void {
  for (const event of emitter.eventNames()) {
    if (typeof event !== "string" || !event.startsWith("CB:")) continue;
    const listeners = emitter.listeners(event) as Listener[];
    emitter.removeAllListeners(event);
    for (const listener of listeners) emitter.on(event, isolated(listener, onFailure));
  }
}

function isolated(listener: Listener, onFailure: (stanza: Partial<BinaryNode>, error: unknown) => void): Listener {
  return (...args) => {
    const failed = (error: unknown) => onFailure(args[0] ?? {}, error);
    try {
      const result = listener(...args);
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}
