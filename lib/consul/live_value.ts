import { parseKv } from "./client.ts";
import type { ConsulClient } from "./client.ts";
import { watch } from "./watch.ts";

/** A setting in Consul's KV that a running process follows. */
export type LiveValue<T> = {
  current(): T;
  /** True if the key was deleted and the last known value stays in force. */
  lost(): boolean;
  /** Resolves at Consul's first answer, even if the key does not exist. */
  readonly ready: Promise<void>;
};

/** Persists the last known text of a key, for a process that starts after the key was lost. */
export type ValueMemory = {
  read(): Promise<string | null>;
  write(text: string): Promise<void>;
};

/** Persists nothing: the last known value survives only in this process. A restarted process uses `first`. */
export const processMemory: ValueMemory = { read: async () => null, write: async () => {} };

export type LiveValueOptions<T> = {
  consul: ConsulClient;
  key: string;
  /** The value while the key does not exist. */
  first: T;
  /** Parses the key's text. Null marks it as invalid; the last valid value then stays. */
  parse: (text: string) => T | null;
  signal: AbortSignal;
  onChange?: ((value: T) => void) | undefined;
  /** Called if the text is invalid, the key was lost, or Consul is unavailable. */
  onError?: ((error: unknown) => void) | undefined;
  /**
   * For a key that is never deleted on purpose: if it is lost, the last known value stays, even in a process that
   * starts later and reads it from the memory. Without a memory, a deleted key falls back to `first`.
   */
  memory?: ValueMemory | undefined;
};

/** Follows a key in Consul's KV. `current()` returns the latest value from memory; an outage changes nothing. */
export function followValue<T>(options: LiveValueOptions<T>): LiveValue<T> {
  const { consul, key, first, parse, signal, onChange, onError, memory } = options;
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  let value = first;
  let known = false;
  let lost = false;

  const take = (next: T) => {
    if (next === value) return;
    value = next;
    onChange?.(next);
  };
  const follow = (text: string | null) => {
    lost = text === null && memory !== undefined && known;
    if (lost) onError?.(new Error(`${key} is gone from Consul: the last known value ${JSON.stringify(value)} stays`));
    else if (text === null) take(first);
    else {
      const next = parse(text);
      if (next === null)
        return onError?.(new Error(`Ignored an invalid value of ${key} in Consul: the previous value stays`));
      known = true;
      take(next);
      void memory?.write(text).catch((error: unknown) => onError?.(error));
    }
  };

  void recall(memory, onError).then((text) => {
    const remembered = text === null ? null : parse(text);
    if (remembered !== null) {
      known = true;
      take(remembered);
    }
    return watch({
      consul,
      path: `/v1/kv/${key}?stale=1`,
      parse: (body) => parseKv(body)?.value.trim() ?? null,
      onChange: (text) => {
        resolve();
        follow(text);
      },
      ...(onError ? { onError } : {}),
      signal,
    });
  });
  return { current: () => value, lost: () => lost, ready };
}

/** Reads the memory; null if there is none or it cannot be read. */
async function recall(
  memory: ValueMemory | undefined,
  onError: ((error: unknown) => void) | undefined,
): Promise<string | null> {
  if (memory === undefined) return null;
  return memory.read().catch((error: unknown) => {
    onError?.(error);
    return null;
  });
}
