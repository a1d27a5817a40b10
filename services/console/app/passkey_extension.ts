import type { Schemas } from "./api.ts";

/*
 * The browser extension of ../extension, as a page talks to it: by messages to its own window, which only the
 * extension's script on this page answers. A page that the user has not allowed gets no answer.
 */
const name = "prosaas-passkey";
/** The extension answers within milliseconds. */
const helloMs = 1_000;

type Options = NonNullable<Schemas["PasskeyLink"]["options"]>;
type Answer = { version?: string; assertion?: Schemas["PasskeyAssertion"]; error?: string };

/** The version of the extension; undefined if it is not installed, or not allowed on this site. */
export async function extensionVersion(): Promise<string | undefined> {
  const { version } = await ask({ ask: "hello" }, helloMs).catch((): Answer => ({}));
  return version;
}

/** Has the user approve the request in the extension's window. Throws an Error with words for the user. */
export async function requestAssertion(options: Options, timeoutMs: number): Promise<Schemas["PasskeyAssertion"]> {
  const { assertion, error } = await ask({ ask: "assertion", options }, timeoutMs);
  if (assertion === undefined) throw new Error(error ?? "The extension gave no answer. Reload this page.");
  return assertion;
}

function ask(question: object, timeoutMs: number): Promise<Answer> {
  const id = crypto.randomUUID();
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const listen = ({ source, origin, data }: MessageEvent<({ from?: string; id?: string } & Answer) | null>) => {
    if (source === window && origin === location.origin && data?.from === name && data.id === id) resolve(data);
  };
  const timer = setTimeout(() => reject(new Error("The passkey was not approved in time. Try again.")), timeoutMs);
  window.addEventListener("message", listen);
  window.postMessage({ ...question, to: name, id }, location.origin);
  return promise.finally(() => {
    clearTimeout(timer);
    window.removeEventListener("message", listen);
  });
}
