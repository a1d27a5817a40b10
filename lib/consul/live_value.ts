import { parseKv } from "./client.ts";
import type { ConsulClient } from "./client.ts";
import { watch } from "./watch.ts";

/** A setting that a running process follows. */
export type LiveValue<T> = {
  current(): T;
  /** Resolves once Consul has told of the key, or that there is none. */
  readonly ready: Promise<void>;
};

export type LiveValueOptions<T> = {
  consul: ConsulClient;
  key: string;
  /** Counts while the key does not exist. */
  first: T;
  /** The value in the key's text; null where it makes no sense, and then the last good one stays. */
  parse: (text: string) => T | null;
  signal: AbortSignal;
  onChange?: ((value: T) => void) | undefined;
  /** The key's text makes no sense, or Consul does not answer. */
  onError?: ((error: unknown) => void) | undefined;
};

/** Follows a key in Consul's KV: a change counts from the next `current()` on, and an outage changes nothing. */
export function followValue<T>({ consul, key, first, parse, signal, onChange, onError }: LiveValueOptions<T>): LiveValue<T> {
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  let value = first;
  void watch({
    consul,
    path: `/v1/kv/${key}?stale=1`,
    parse: (body) => parseKv(body)?.value ?? null,
    onChange: (text) => {
      const next = text === null ? first : parse(text.trim());
      resolve();
      if (next === null) onError?.(new Error(`${key} in Consul holds nothing that makes sense: what counted before stays`));
      else if (next !== value) {
        value = next;
        onChange?.(next);
      }
    },
    ...(onError ? { onError } : {}),
    signal,
  });
  return { current: () => value, ready };
}
