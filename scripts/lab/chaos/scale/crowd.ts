import { until } from "../../../../lib/testing/until.ts";
import { eachOf } from "../../rig/pairing.ts";
import type { Stage } from "./stage.ts";

/** A paired business and the people it writes with; each of them writes with it alone. */
export type Member = { id: string; phone: string; contacts: string[] };

type Session = { status: string; qr?: string | null; shard: number | null };

const contactsEach = 2;

/** Numbers of one run alone; +999 is assigned to no country. */
const numbers = (run: number) => (n: number) => `999${String(run).padStart(6, "0")}${String(n).padStart(4, "0")}`;

/** Makes businesses and links a simulated phone to each by QR. */
export async function pairCrowd({ api, simulator }: Stage, count: number): Promise<Member[]> {
  const number = numbers(Date.now() % 1e6);
  const crowd: Member[] = [];
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
    crowd.push({ id, phone, contacts });
  });
  return crowd;
}

const view = (api: Stage["api"], id: string) => api<Session>("GET", `/v1/businesses/${id}/whatsapp`);

/** Asks for a QR and waits until it is shown. */
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
 * A business that connects for the first time: gives the shard that shows its QR, and leaves again. By the rule
 * least_loaded that is a shard that has nobody yet, once it takes businesses.
 */
export async function newcomerShard({ api }: Stage): Promise<number | null> {
  const { id } = await api<{ id: string }>("POST", "/v1/businesses", { name: "A newcomer" });
  try {
    return (await connect(api, id)).shard;
  } finally {
    await api("DELETE", `/v1/businesses/${id}`);
  }
}

/** How many of them have a session that is open. */
export async function openSessions({ api }: Stage, crowd: readonly Member[]): Promise<number> {
  let open = 0;
  await eachOf(crowd, 8, async ({ id }) => {
    if ((await view(api, id)).status === "open") open += 1;
  });
  return open;
}
