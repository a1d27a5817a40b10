import { until } from "../../../../lib/testing/until.ts";
import { eachOf } from "../../rig/pairing.ts";
import type { Stage } from "./stage.ts";

/** A paired business and its contacts, who write with no other business. */
export type Member = { id: string; phone: string; contacts: string[] };

type Session = { status: string; qr?: string | null; shard: number | null };

const contactsEach = 2;

/** Numbers of this run only. +999 belongs to no country. */
const numbers = (run: number) => (n: number) => `999${String(run).padStart(6, "0")}${String(n).padStart(4, "0")}`;

/** Creates businesses and pairs a simulated phone with each by QR code. */
export async function pairMembers({ api, simulator }: Stage, count: number): Promise<Member[]> {
  const number = numbers(Date.now() % 1e6);
  const members: Member[] = [];
  const wanted = Array.from({ length: count }, (_, n) => n);
  await eachOf(wanted, 4, async (n) => {
    const [phone, ...contacts] = Array.from({ length: 1 + contactsEach }, (_, k) =>
      number(n * (1 + contactsEach) + k),
    ) as [string, ...string[]];
    for (const one of [phone, ...contacts]) await simulator.makePhone(one);
    const { id } = await api<{ id: string }>("POST", "/v1/businesses", { name: `Chaos ${n}` });
    const { qr } = await connect(api, id);
    await simulator.scan(phone, qr);
    await until(async () => (await view(api, id)).status === "open", {
      deadlineMs: 60_000,
      what: "a session to open",
      everyMs: 100,
    });
    members.push({ id, phone, contacts });
  });
  return members;
}

const view = (api: Stage["api"], id: string) => api<Session>("GET", `/v1/businesses/${id}/whatsapp`);

/** Requests a QR code and waits for it. */
export async function connect(api: Stage["api"], id: string): Promise<{ qr: string; shard: number | null }> {
  await api("POST", `/v1/businesses/${id}/whatsapp/connect`, { method: "qr" });
  const shown = await until(
    async () => {
      const session = await view(api, id);
      return session.qr ? session : undefined;
    },
    { deadlineMs: 60_000, what: "a QR code", everyMs: 50 },
  );
  return { qr: shown.qr!, shard: shown.shard };
}

/**
 * Connects a new business, returns the shard that shows its QR code, and deletes the business. With the rule
 * least_loaded that is an empty shard as soon as it accepts businesses.
 */
export async function newcomerShard({ api }: Stage): Promise<number | null> {
  const { id } = await api<{ id: string }>("POST", "/v1/businesses", { name: "A newcomer" });
  try {
    return (await connect(api, id)).shard;
  } finally {
    await api("DELETE", `/v1/businesses/${id}`);
  }
}

/** Counts the members whose session is open. */
export async function openSessions({ api }: Stage, members: readonly Member[]): Promise<number> {
  let open = 0;
  await eachOf(members, 8, async ({ id }) => {
    if ((await view(api, id)).status === "open") open += 1;
  });
  return open;
}
