import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { isSignedOut, sentenceOf } from "./api.ts";
import { debounce } from "./debounce.ts";

/** The parts of the address after the `#`: "#/businesses/1" is ["businesses", "1"]. */
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
  /** Why the last attempt failed; what was loaded before stays. */
  error: string | undefined;
  reload: () => void;
};

/** Raised where the API says that nobody is signed in any more. */
export const signedOut = new EventTarget();

/** Loads something, anew whenever what `key` names changes or `reload` is called; with `everyMs` also by itself. */
export function useLoaded<T>(key: string, load: () => Promise<T>, everyMs?: number): Loaded<T> {
  const [state, setState] = useState<{ key: string; value?: T; error?: string }>({ key });
  const present = useRef(key);
  const latest = useRef(load);
  latest.current = load;
  present.current = key;

  const reload = useCallback(() => {
    const asked = present.current;
    latest.current().then(
      (value) => present.current === asked && setState({ key: asked, value }),
      (error: unknown) => {
        if (isSignedOut(error)) signedOut.dispatchEvent(new Event("signedout"));
        else if (present.current === asked) setState((before) => ({ ...before, key: asked, error: sentenceOf(error) }));
      },
    );
  }, []);

  useEffect(() => {
    reload();
    if (everyMs === undefined) return undefined;
    // Nobody looks at a page in the background.
    const timer = setInterval(() => document.hidden || reload(), everyMs);
    return () => clearInterval(timer);
  }, [key, everyMs, reload]);

  const fresh = state.key === key;
  return { value: fresh ? state.value : undefined, error: fresh ? state.error : undefined, reload };
}

/** A function that runs `act` once for many calls: see {@link debounce}. */
export function useDebounced(act: () => void, quietMs = 250, maxMs = 1_000): () => void {
  const latest = useRef(act);
  latest.current = act;
  const debounced = useMemo(() => debounce(() => latest.current(), quietMs, maxMs), [quietMs, maxMs]);
  useEffect(() => debounced.cancel, [debounced]);
  return debounced.call;
}

/** Does what a button asks for: whether it is under way, and what went wrong. */
export function useAction(): { busy: boolean; fault: string | undefined; run: (work: () => Promise<unknown>) => void } {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string>();
  const run = useCallback((work: () => Promise<unknown>) => {
    setBusy(true);
    setFault(undefined);
    work()
      .catch((error: unknown) => setFault(sentenceOf(error)))
      .finally(() => setBusy(false));
  }, []);
  return { busy, fault, run };
}
