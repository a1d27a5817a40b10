import { sleep } from "../../../../lib/core/time.ts";
import type { Platform, Tenant } from "./platform.ts";

/** What callers met. */
export type Experience = {
  requests: number;
  /** Answers of 503 that say when to come again. */
  unavailable: number;
  /** Any other failure, by what it was. */
  otherErrors: Map<string, number>;
  /** Answers of 2xx that were not true. */
  wrong: string[];
};

export type Clients = {
  readonly experience: Experience;
  /** When a request failed last, by performance.now(). */
  lastFailureAt(): number;
  /** Ends the callers, once each has what it asked for; gives the messages that were accepted, by tenant. */
  stop(): Promise<Map<string, Accepted[]>>;
};

export type Accepted = { id: string; text: string; at: number };

type Answer = {
  status: number;
  body: { id?: string; text?: string; data?: { id: string; text: string }[] } | undefined;
};

/** Between two requests of a caller, and before a failed one is repeated. */
const pauseMs = 10;
const againMs = 100;
/** Longer ago than what the API reads from the primary in any case: twice the lag that is allowed, and a second. */
const longAgoMs = 11_000;
const pageSize = 20;

/**
 * Two callers for each tenant: one sends messages, and reads each back at once by its id and in the list; the other
 * reads pages of long ago. A request that fails is repeated, under the same key, until it is answered.
 */
export function startClients({ url, tenants }: Platform): Clients {
  const experience: Experience = { requests: 0, unavailable: 0, otherErrors: new Map(), wrong: [] };
  const accepted = new Map<string, Accepted[]>(tenants.map(({ businessId }) => [businessId, []]));
  let failedAt = 0;
  let over = false;

  const failed = (what: string | undefined) => {
    failedAt = performance.now();
    if (what === undefined) experience.unavailable += 1;
    else experience.otherErrors.set(what, (experience.otherErrors.get(what) ?? 0) + 1);
  };

  /** Asks until there is an answer that is no failure of the server's. */
  const ask = async (tenant: Tenant, method: string, path: string, body?: unknown): Promise<Answer> => {
    const headers = {
      authorization: `Bearer ${tenant.key}`,
      ...(body === undefined ? {} : { "content-type": "application/json", "idempotency-key": crypto.randomUUID() }),
    };
    for (;;) {
      experience.requests += 1;
      try {
        const response = await fetch(`${url}/v1/businesses/${tenant.businessId}/messages${path}`, {
          method,
          headers,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          tls: { rejectUnauthorized: false },
          // As long as nginx waits for the API: each answer is the API's own.
          signal: AbortSignal.timeout(60_000),
        });
        const answer = (await response.json()) as Answer["body"];
        if (response.status < 500) return { status: response.status, body: answer };
        failed(
          response.status === 503 && response.headers.has("retry-after") ? undefined : `${method} ${response.status}`,
        );
      } catch (error) {
        failed(`${method} ${error instanceof Error ? error.name : String(error)}`);
      }
      await sleep(againMs);
    }
  };
  const wrong = (what: string) => void experience.wrong.push(what);

  const send = async (tenant: Tenant): Promise<void> => {
    const own = accepted.get(tenant.businessId)!;
    while (!over) {
      const text = crypto.randomUUID();
      const sent = await ask(tenant, "POST", "", { to: "5511987654321", type: "text", text });
      const id = sent.body?.id;
      if (sent.status !== 202 || id === undefined) {
        wrong(`a message was answered ${sent.status}`);
        continue;
      }
      own.push({ id, text, at: performance.now() });
      const read = await ask(tenant, "GET", `/${id}`);
      if (read.status !== 200 || read.body?.text !== text) wrong(`an accepted message was read back as ${read.status}`);
      const listed = await ask(tenant, "GET", `?limit=5`);
      if (!listed.body?.data?.some((message) => message.id === id)) wrong("an accepted message is not in the list");
      await sleep(pauseMs);
    }
  };

  const look = async (tenant: Tenant): Promise<void> => {
    const own = accepted.get(tenant.businessId)!;
    while (!over) {
      await sleep(pauseMs);
      const old = own.filter(({ at }) => performance.now() - at > longAgoMs);
      const start = old[Math.floor(Math.random() * old.length)];
      if (start === undefined) continue;
      const cursor = Buffer.from(start.id).toString("base64url");
      const page = await ask(tenant, "GET", `?limit=${pageSize}&cursor=${cursor}`);
      const shown = new Set(page.body?.data?.map(({ id }) => id));
      const before = own
        .filter(({ id }) => id < start.id)
        .toSorted((a, b) => (a.id < b.id ? 1 : -1))
        .slice(0, pageSize);
      const missing = before.filter(({ id }) => !shown.has(id));
      if (page.status !== 200 || missing.length > 0)
        wrong(`a page of long ago lacks ${missing.length} of ${before.length} messages`);
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
