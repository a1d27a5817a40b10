import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { sign } from "./signature.ts";

/** The result of a webhook: a response, or an error if there was none. */
export type Answer = { status: number; text: string; retryAfterS: number | null } | { status: null; error: string };

export type WebhookClient = {
  /** Posts a signed form with the retries of the URL's fragment. Returns the last answer. */
  post(url: string, form: URLSearchParams, options?: PostOptions): Promise<Answer>;
};

export type PostOptions = { authToken?: string; signal?: AbortSignal };

export type WebhookClientOptions = {
  authToken: string;
  /** PEM of another CA to trust: that of a development stack. */
  ca?: string | undefined;
  /** Twilio's limit for the whole response. */
  timeoutMs?: number;
};

type Overrides = { retries: number; policies: ReadonlySet<string>; readMs: number };

/** Parses Twilio's connection overrides in a URL's fragment, which is not sent: `#rc=3&rp=5xx,ct,rt&rt=4000`. */
export function readOverrides(url: string, timeoutMs: number): Overrides & { target: string } {
  const [target = url, fragment = ""] = url.split("#", 2);
  const given = new URLSearchParams(fragment);
  const policies = new Set((given.get("rp") ?? "ct").split(","));
  const retries = Math.min(5, Math.max(0, Number(given.get("rc") ?? 1) || 0));
  return { target, retries, policies, readMs: Math.min(timeoutMs, Number(given.get("rt")) || timeoutMs) };
}

export function createWebhookClient({ authToken, ca, timeoutMs = 15_000 }: WebhookClientOptions): WebhookClient {
  const once = async (
    url: string,
    form: URLSearchParams,
    readMs: number,
    token: string,
    signal?: AbortSignal,
  ): Promise<Answer> => {
    try {
      const limit = AbortSignal.timeout(readMs);
      const response = await fetch(url, {
        method: "POST",
        body: form.toString(),
        headers: {
          "content-type": "application/x-www-form-urlencoded",
          "x-twilio-signature": sign(token, url, form),
          "user-agent": "TwilioProxy/1.1",
        },
        signal: signal ? AbortSignal.any([limit, signal]) : limit,
        redirect: "manual",
        // A new connection for each request, as from a carrier's many machines: none is stale.
        keepalive: false,
        ...(ca === undefined ? {} : { tls: { ca } }),
      });
      const after = Number(response.headers.get("retry-after"));
      return { status: response.status, text: await response.text(), retryAfterS: after > 0 ? after : null };
    } catch (error) {
      return { status: null, error: messageOf(error) };
    }
  };

  return {
    post: async (url, form, { authToken: token = authToken, signal } = {}) => {
      const { target, retries, policies, readMs } = readOverrides(url, timeoutMs);
      let answer = await once(target, form, readMs, token, signal);
      for (let attempt = 0; attempt < retries && !signal?.aborted && isRetried(answer, policies); attempt++) {
        await sleep(100 * 2 ** attempt, signal).catch(() => {});
        answer = await once(target, form, readMs, token, signal);
      }
      return answer;
    },
  };
}

function isRetried(answer: Answer, policies: ReadonlySet<string>): boolean {
  if (answer.status === null) return policies.has("all") || policies.has("ct") || policies.has("rt");
  if (answer.status >= 500) return policies.has("all") || policies.has("5xx");
  return answer.status >= 400 && (policies.has("all") || policies.has("4xx"));
}
