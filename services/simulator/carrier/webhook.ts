import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { sign } from "./signature.ts";

/** What came of a webhook: an answer of some status, or none. */
export type Answer = { status: number; text: string; retryAfterS: number | null } | { status: null; error: string };

export type WebhookClient = {
  /** Posts a signed form, as often as the URL's fragment allows; gives the last answer. */
  post(url: string, form: URLSearchParams, options?: PostOptions): Promise<Answer>;
};

export type PostOptions = { authToken?: string; signal?: AbortSignal };

export type WebhookClientOptions = {
  authToken: string;
  /** PEM of an authority to trust besides the system's: a development stack makes its own. */
  ca?: string | undefined;
  /** The carrier's: the whole answer must be there within this. */
  timeoutMs?: number;
};

type Overrides = { retries: number; policies: ReadonlySet<string>; readMs: number };

/** A URL's connection overrides, which stand in its fragment and are not sent: `#rc=3&rp=5xx,ct,rt&rt=4000`. */
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
        // A connection each, as from the many machines of a carrier: none is found dead that was kept.
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
