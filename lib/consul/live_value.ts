import { parseKv } from "./client.ts";
import type { ConsulClient } from "./client.ts";
import { watch } from "./watch.ts";

/** A setting that a running process follows. */
export type LiveValue<T> = {
  current(): T;
  /** Whether the key is gone and the last known value stays in force. */
  lost(): boolean;
  /** Resolves once Consul has told of the key, or that there is none. */
  readonly ready: Promise<void>;
};

/** Where a process finds the last known text of a key that is gone from Consul. */
export type ValueMemory = {
  read(): Promise<string | null>;
  write(text: string): Promise<void>;
};

/** Keeps the last known value of a lost key for the life of the process; one that starts later takes `first`. */
export const processMemory: ValueMemory = { read: async () => null, write: async () => {} };

export type LiveValueOptions<T> = {
  consul: ConsulClient;
  key: string;
  /** Counts while the key does not exist. */
  first: T;
  /** The value in the key's text; null where it makes no sense, and then the last good one stays. */
  parse: (text: string) => T | null;
  signal: AbortSignal;
  onChange?: ((value: T) => void) | undefined;
  /** The key's text makes no sense, the key is gone, or Consul does not answer. */
  onError?: ((error: unknown) => void) | undefined;
  /**
   * For a key that is never deleted on purpose: once it has had a value, losing it keeps that value, also in a process
   * that starts later and finds it in the memory. Without one, `first` counts again when the key is deleted.
   */
  memory?: ValueMemory | undefined;
};

/** Follows a key in Consul's KV: a change counts from the next `current()` on, and an outage changes nothing. */
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
        return onError?.(new Error(`${key} in Consul holds nothing that makes sense: what counted before stays`));
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

/** Null where there is no memory, or it cannot be read. */
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
