import type { ChatLog } from "../../rig/chat_log.ts";
import { messageRequest, sendUntilDecided } from "../../rig/customer_api.ts";
import { runLoad } from "../../rig/load.ts";
import type { Customer } from "../../rig/platform.ts";

export type PostOptions = {
  apiUrl: string;
  customers: readonly Customer[];
  /** Over all customers. */
  messages: number;
  /** Highest rate in messages a second, over all customers. */
  rate: number;
  /** Receives each accepted message. */
  accepted: ChatLog;
  /** Makes texts unique. */
  label: string;
};

/** Posts messages at a steady rate, those of a customer one after the other, each until the API accepts it. */
export async function post({ apiUrl, customers, messages, rate, accepted, label }: PostOptions): Promise<void> {
  const postOne = async (customer: Customer, to: string, text: string) => {
    const request = messageRequest(customer, to, text);
    const { status } = await sendUntilDecided(apiUrl, request, { timeoutMs: 15_000, pauseMs: 200 });
    if (status !== 202) throw new Error(`a message was refused with ${status}`);
    accepted.add(to, text);
  };
  const jobsAt = (n: number) => {
    const customer = customers[n % customers.length]!;
    const to = customer.contacts[Math.floor(n / customers.length) % customer.contacts.length]!;
    return [{ lane: customer.id, run: () => postOne(customer, to, `${label} ${n}`) }];
  };
  await runLoad({ perSecond: rate, jobsAt }, messages);
}
