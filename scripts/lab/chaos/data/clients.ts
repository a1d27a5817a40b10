import { sleep } from "../../../../lib/core/time.ts";
import { messageRequest, sendUntilDecided } from "../../rig/customer_api.ts";
import type { ApiRequest, Sender } from "../../rig/customer_api.ts";
import type { Stage } from "./stage.ts";

/** The failures and wrong answers that callers received. */
export type Experience = {
  requests: number;
  /** Answers of 503 with Retry-After. */
  unavailable: number;
  /** Other failures by method and status. */
  otherErrors: Map<string, number>;
  /** Wrong answers of 2xx. */
  wrong: string[];
};

export type Clients = {
  readonly experience: Experience;
  /** Time of the last failure (performance.now()). */
  lastFailureAt(): number;
  /** Stops the callers after their last answer; returns the accepted messages of each tenant. */
  stop(): Promise<Map<string, Accepted[]>>;
};

export type Accepted = { id: string; text: string; at: number };

type Answer = {
  status: number;
  body: { id?: string; text?: string; data?: { id: string; text: string }[] } | undefined;
};

/** Pauses between two requests of a caller, and before a retry. */
const pauseMs = 10;
const againMs = 100;
/** Older messages may be read from the replica: twice the allowed lag, and a second. */
const longAgoMs = 11_000;
const pageSize = 20;

/**
 * Two callers for each tenant: one sends messages and reads each back at once, by its id and in the list; the other
 * reads pages of old messages. Failed requests are retried under the same key until the API decides.
 */
export function startClients({ url, tenants }: Pick<Stage, "url" | "tenants">): Clients {
  const experience: Experience = { requests: 0, unavailable: 0, otherErrors: new Map(), wrong: [] };
  const accepted = new Map<string, Accepted[]>(tenants.map(({ id }) => [id, []]));
  let failedAt = 0;
  let over = false;

  const onFailure = (failure: Response | Error, method: string) => {
    failedAt = performance.now();
    if (failure instanceof Response && failure.status === 503 && failure.headers.has("retry-after")) {
      experience.unavailable += 1;
      return;
    }
    const what = `${method} ${failure instanceof Response ? failure.status : `${failure.name}: ${failure.message}`}`;
    experience.otherErrors.set(what, (experience.otherErrors.get(what) ?? 0) + 1);
  };

  /** Repeats a request until the API decides on it. */
  const ask = async (request: ApiRequest): Promise<Answer> => {
    experience.requests += 1;
    const { status, body } = await sendUntilDecided(url, request, {
      // As long as nginx waits for the API: each answer is the API's own.
      timeoutMs: 60_000,
      pauseMs: againMs,
      onFailure: (failure) => {
        onFailure(failure, request.method);
        experience.requests += 1;
      },
    });
    return { status, body: body as Answer["body"] };
  };
  const get = ({ id, key }: Sender, path: string) =>
    ask({ method: "GET", path: `/v1/businesses/${id}/messages${path}`, headers: { authorization: `Bearer ${key}` } });
  const wrong = (what: string) => void experience.wrong.push(what);

  const send = async (tenant: Sender): Promise<void> => {
    const own = accepted.get(tenant.id)!;
    while (!over) {
      const text = crypto.randomUUID();
      const sent = await ask(messageRequest(tenant, "5511987654321", text));
      const id = sent.body?.id;
      if (sent.status !== 202 || id === undefined) {
        wrong(`a message was answered ${sent.status}`);
        continue;
      }
      own.push({ id, text, at: performance.now() });
      const read = await get(tenant, `/${id}`);
      if (read.status !== 200 || read.body?.text !== text) wrong(`an accepted message was read back as ${read.status}`);
      const listed = await get(tenant, "?limit=5");
      if (!listed.body?.data?.some((message) => message.id === id)) wrong("an accepted message is not in the list");
      await sleep(pauseMs);
    }
  };

  const look = async (tenant: Sender): Promise<void> => {
    const own = accepted.get(tenant.id)!;
    while (!over) {
      await sleep(pauseMs);
      const old = own.filter(({ at }) => performance.now() - at > longAgoMs);
      const start = old[Math.floor(Math.random() * old.length)];
      if (start === undefined) continue;
      const cursor = Buffer.from(start.id).toString("base64url");
      const page = await get(tenant, `?limit=${pageSize}&cursor=${cursor}`);
      const shown = new Set(page.body?.data?.map(({ id }) => id));
      const before = own
        .filter(({ id }) => id < start.id)
        .toSorted((a, b) => (a.id < b.id ? 1 : -1))
        .slice(0, pageSize);
      const missing = before.filter(({ id }) => !shown.has(id));
      if (page.status !== 200 || missing.length > 0)
        wrong(`a page of old messages lacks ${missing.length} of ${before.length} messages`);
    }
  };

  const callers = tenants.flatMap((tenant) => [send(tenant), look(tenant)]);
  return {
    experience,
    lastFailureAt: () => failedAt,
    stop: async () => {
      over = true;
      await Promise.all(callers);
      return accepted;
    },
  };
}
