import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { errorText, isSignedOut } from "./api.ts";
import { debounce } from "./debounce.ts";

/** The segments of the URL's hash: "#/businesses/1" is ["businesses", "1"]. */
export function useRoute(): string[] {
  const read = () => globalThis.location.hash.slice(1).split("/").filter(Boolean).map(decodeURIComponent);
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const follow = () => setRoute(read());
    globalThis.addEventListener("hashchange", follow);
    return () => globalThis.removeEventListener("hashchange", follow);
  }, []);
  return route;
}

export type Loaded<T> = {
  value: T | undefined;
  /** Why the last attempt failed. `value` keeps the last successful result. */
  error: string | undefined;
  reload: () => void;
};

/** Dispatches `signedout` when the API answers 401. */
export const signedOut = new EventTarget();

/** Loads a value, and reloads it when `key` changes, when `reload` is called, and every `everyMs`. */
export function useLoaded<T>(key: string, load: () => Promise<T>, everyMs?: number): Loaded<T> {
  const [state, setState] = useState<{ key: string; value?: T; error?: string }>({ key });
  const currentKey = useRef(key);
  const latest = useRef(load);
  latest.current = load;
  currentKey.current = key;

  const reload = useCallback(() => {
    const loading = currentKey.current;
    latest.current().then(
      (value) => currentKey.current === loading && setState({ key: loading, value }),
      (error: unknown) => {
        if (isSignedOut(error)) signedOut.dispatchEvent(new Event("signedout"));
        else if (currentKey.current === loading)
          setState((before) => ({ ...before, key: loading, error: errorText(error) }));
      },
    );
  }, []);

  useEffect(() => {
    reload();
    if (everyMs === undefined) return undefined;
    // Skips reloads while the page is in the background.
    const timer = setInterval(() => document.hidden || reload(), everyMs);
    return () => clearInterval(timer);
  }, [key, everyMs, reload]);

  const fresh = state.key === key;
  return { value: fresh ? state.value : undefined, error: fresh ? state.error : undefined, reload };
}

/** Debounces `action`: see {@link debounce}. */
export function useDebounced(action: () => void, quietMs = 250, maxMs = 1_000): () => void {
  const latest = useRef(action);
  latest.current = action;
  const debounced = useMemo(() => debounce(() => latest.current(), quietMs, maxMs), [quietMs, maxMs]);
  useEffect(() => debounced.cancel, [debounced]);
  return debounced.call;
}

/** Runs the request of a button. `busy` while it is in flight; `fault` is its error. */
export function useAction(): { busy: boolean; fault: string | undefined; run: (work: () => Promise<unknown>) => void } {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string>();
  const run = useCallback((work: () => Promise<unknown>) => {
    setBusy(true);
    setFault(undefined);
    work()
      .catch((error: unknown) => setFault(errorText(error)))
      .finally(() => setBusy(false));
  }, []);
  return { busy, fault, run };
}
