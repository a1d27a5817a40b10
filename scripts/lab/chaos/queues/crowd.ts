import { uuidv7 } from "../../../../lib/core/ids.ts";
import type { Customer } from "../../rig/platform.ts";

/** What was accepted, by contact, in the order in which it was. */
export type Accepted = Map<string, string[]>;

export type CrowdOptions = {
  apiUrl: string;
  customers: readonly Customer[];
  /** Over all customers. */
  messages: number;
  /** Messages a second over all customers, at most. */
  rate: number;
  accepted: Accepted;
  /** Makes texts unique. */
  label: string;
};

/** A request that has no answer by then is made again. */
const answerMs = 15_000;

/** Between two attempts at a request that was not answered, ms. */
const pauseMs = 200;

/**
 * Customers' programs: each posts one message after the other, and one that got no answer again under its
 * Idempotency-Key until it is accepted.
 */
export async function post({ apiUrl, customers, messages, rate, accepted, label }: CrowdOptions): Promise<void> {
  const began = performance.now();
  await Promise.all(
    customers.map(async (customer, lane) => {
      for (let n = lane; n < messages; n += customers.length) {
        const early = began + (n / rate) * 1000 - performance.now();
        if (early > 1) await Bun.sleep(early);
        const turn = Math.floor(n / customers.length);
        const to = customer.contacts[turn % customer.contacts.length]!;
        const text = `${label} ${n}`;
        await postOne(apiUrl, customer, to, text);
        accepted.set(to, [...(accepted.get(to) ?? []), text]);
      }
    }),
  );
}

async function postOne(apiUrl: string, { id, key }: Customer, to: string, text: string): Promise<void> {
  const idempotencyKey = uuidv7();
  for (;;) {
    const status = await fetch(`${apiUrl}/v1/businesses/${id}/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        "idempotency-key": idempotencyKey,
      },
      body: JSON.stringify({ to, type: "text", text }),
      signal: AbortSignal.timeout(answerMs),
    }).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => 0,
    );
    if (status === 202) return;
    if (status !== 0 && status < 500 && status !== 429) throw new Error(`a message was refused with ${status}`);
    await Bun.sleep(pauseMs);
  }
}
