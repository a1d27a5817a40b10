import { useEffect, useRef, useState } from "preact/hooks";
import { streamEvents, streamNotices } from "../../../lib/events/catalogue.ts";

/** EventSource needs a listener per event name. */
export const eventNames: readonly string[] = [...streamEvents, ...Object.keys(streamNotices)];

/** Back-off before a refused stream is reopened: doubles from `first` to `last`. */
const retryMs = { first: 1_000, last: 15_000 };

export type LiveEvent = { name: string; data: Record<string, unknown> };

/**
 * Listens to a stream of events while the component is mounted. The browser itself resumes a connection that broke; a
 * stream that was refused (503, 429) is opened again with back-off, after which `reset` is reported, since events may
 * have been missed. Returns whether the stream is connected.
 */
export function useLive(path: string, onEvent: (event: LiveEvent) => void): boolean {
  const [connected, setConnected] = useState(false);
  const latest = useRef(onEvent);
  latest.current = onEvent;
  useEffect(() => listen(path, (event) => latest.current(event), setConnected), [path]);
  return connected;
}

function listen(
  path: string,
  onEvent: (event: LiveEvent) => void,
  onConnected: (connected: boolean) => void,
): () => void {
  let source: EventSource;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;

  const open = (isReopened: boolean) => {
    source = new EventSource(path);
    source.addEventListener("open", () => {
      failures = 0;
      onConnected(true);
      if (isReopened) onEvent({ name: "reset", data: {} });
    });
    source.addEventListener("error", () => {
      onConnected(false);
      if (source.readyState !== EventSource.CLOSED) return;
      const waitMs = Math.min(retryMs.last, retryMs.first * 2 ** failures) * (0.5 + Math.random() / 2);
      failures += 1;
      timer = setTimeout(() => open(true), waitMs);
    });
    for (const name of eventNames) {
      source.addEventListener(name, ({ data }: MessageEvent<string>) =>
        onEvent({ name, data: JSON.parse(data) as LiveEvent["data"] }),
      );
    }
  };

  open(false);
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
