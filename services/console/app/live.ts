import { useEffect, useRef, useState } from "preact/hooks";

/** The names of all events: a browser listens to each by its name. */
const names = [
  ...["received", "sent", "delivered", "read", "played", "failed"].map((name) => `message.${name}`),
  ...["started", "resumed", "ended"].map((name) => `call.${name}`),
  "session.status",
  "broadcast.status",
  "webhook.paused",
  "whatsapp.pairing",
  "shards.changed",
  "reset",
];

export type LiveEvent = { name: string; data: Record<string, unknown> };

/**
 * Listens to a stream of events while the component is there; the browser goes on after the last one by itself when it
 * was cut off. Returns whether it is connected.
 */
export function useLive(path: string, onEvent: (event: LiveEvent) => void): boolean {
  const [connected, setConnected] = useState(false);
  const latest = useRef(onEvent);
  latest.current = onEvent;
  useEffect(() => {
    const source = new EventSource(path);
    source.addEventListener("open", () => setConnected(true));
    source.addEventListener("error", () => setConnected(false));
    for (const name of names) {
      source.addEventListener(name, ({ data }: MessageEvent<string>) =>
        latest.current({ name, data: JSON.parse(data) as Record<string, unknown> }),
      );
    }
    return () => source.close();
  }, [path]);
  return connected;
}
