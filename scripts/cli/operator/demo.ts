import { sleep } from "../../../lib/core/time.ts";
import { bodyOf } from "../../../lib/api-client/index.ts";
import type { Schemas } from "../../../lib/api-client/index.ts";
import { adminApi } from "./admin_api.ts";
import { resultCommand, wholeNumber } from "../arguments.ts";
import { allPages } from "./pages.ts";
import { simulatorApi } from "./simulator.ts";
import { readStack } from "./stack.ts";
import { quantile } from "./table.ts";
import { createWait } from "./wait.ts";
import { addComparisons, compareChat, nothingCompared } from "../../lab/rig/comparison.ts";

const values = resultCommand(
  "demo",
  `Send and receive messages with a simulated phone.

Creates a business, pairs it by QR code, sends messages through nginx, prints each one's ticks as
they arrive and receives a reply. Compares the sent messages with those that each phone shows. Exits
1 if one was lost, doubled or out of order.`,
)
  .option("--messages <n>", "messages to send", wholeNumber(), 20)
  .option("--contacts <n>", "recipients", wholeNumber(), 5)
  .option("--every-ms <n>", "pause between messages", wholeNumber(0), 50)
  .option("--deadline-s <n>", "seconds to wait for each step", wholeNumber(), 60)
  .parse()
  .opts();
const { messages: count, contacts: contactCount, everyMs } = values;
const deadlineMs = values.deadlineS * 1000;

type Shown = { data: { from_me?: boolean; text?: string }[] };

const say = (line: string) => console.error(line);

const wait = createWait(deadlineMs);

const stack = await readStack();
const simulator = await simulatorApi(stack);
const api = await adminApi(stack);

// Numbers of this run only, so that runs do not see each other's messages. +999 belongs to no country.
const run = String(Date.now() % 1e9).padStart(9, "0");
const phone = `9990${run}`;
const contacts = Array.from({ length: contactCount }, (_, index) => `999${index + 1}${run}`);

const { id: business_id } = await bodyOf(api.POST("/v1/businesses", { body: { name: `Demo ${run}` } }));
const path = { business_id };
say(`business ${business_id}`);
await simulator("POST", "/phones", { phone, name: "Demo phone" });
await api.POST("/v1/businesses/{business_id}/whatsapp/connect", { params: { path }, body: { method: "qr" } });
const view = () => bodyOf(api.GET("/v1/businesses/{business_id}/whatsapp", { params: { path } }));
const { qr, shard } = await wait("a QR code", async () => {
  const session = await view();
  return session.status === "qr" && session.qr ? session : null;
});
say(`QR shown by shard ${shard}; the phone scans it`);
await simulator("POST", `/phones/${phone}/scan`, { qr });
await wait("the session to open", async () => (await view()).status === "open");
say("session open");

/** Posts until the API accepts; the key makes a repeated POST the same message. */
const post = (to: string, text: string, key: string) =>
  wait("the API to accept a message", () =>
    bodyOf(
      api.POST("/v1/businesses/{business_id}/messages", {
        params: { path, header: { "idempotency-key": key } },
        body: { to, type: "text", text },
      }),
    ),
  );

const sent: { id: string; to: string; text: string }[] = [];
for (let index = 0; index < count; index++) {
  const to = contacts[index % contactCount]!;
  const text = `message ${index + 1} of ${count}`;
  const { id } = await post(to, text, `demo-${run}-${index}`);
  sent.push({ id, to, text });
  if (everyMs > 0) await sleep(everyMs);
}
say(`${count} messages accepted`);

const order = ["queued", "sent", "delivered", "read", "played", "failed"];
const final = new Map<string, Schemas["Message"]>();
const shown = new Map<string, string>();
const settled = (status: string) => ["read", "played", "failed"].includes(status);
const outbound = () =>
  allPages((cursor) =>
    bodyOf(
      api.GET("/v1/businesses/{business_id}/messages", {
        params: { path, query: { direction: "outbound", limit: 200, cursor } },
      }),
    ),
  );

await wait("the ticks", async () => {
  for (const message of await outbound()) final.set(message.id, message);
  for (const [index, { id, to }] of sent.entries()) {
    const message = final.get(id);
    if (message === undefined || message.status === shown.get(id)) continue;
    shown.set(id, message.status);
    const error = message.error ? ` (${message.error.message})` : "";
    say(`  ${String(index + 1).padStart(3)} → ${to}  ${message.status}${error}`);
  }
  return sent.every(({ id }) => settled(shown.get(id) ?? ""));
}).catch((error: unknown) => say(String(error)));

const reply = `reply of run ${run}`;
await simulator("POST", `/phones/${contacts[0]}/messages`, { to: phone, text: reply });
const received = await wait("the reply", async () => {
  const { data } = await bodyOf(
    api.GET("/v1/businesses/{business_id}/messages", { params: { path, query: { direction: "inbound" } } }),
  );
  const replies = data.filter((message) => message.text === reply);
  return replies.length > 0 ? replies : null;
}).catch((error: unknown) => (say(String(error)), []));
say(`reply ${received.length > 0 ? "received" : "not received"}`);

// The other end: what each phone shows, beside what was sent to it.
const expected = Map.groupBy(sent, ({ to }) => to);
let compared = nothingCompared;
for (const contact of contacts) {
  const texts = (expected.get(contact) ?? []).map(({ text }) => text);
  const screen = await simulator<Shown>("GET", `/phones/${contact}/messages`);
  const shown = screen.data.filter(({ from_me }) => from_me !== true).map(({ text }) => text ?? "");
  compared = addComparisons(compared, compareChat(texts, shown));
}
const { lost, disordered: reordered } = compared;
const duplicates = Math.max(0, received.length - 1) + compared.duplicates;

const reached = (status: string) =>
  [...final.values()].filter(
    (message) => message.status !== "failed" && order.indexOf(message.status) >= order.indexOf(status),
  ).length;
const latencies = [...final.values()].flatMap(({ queued_at, sent_at }) =>
  sent_at ? [Date.parse(sent_at) - Date.parse(queued_at)] : [],
);
const result = {
  sent: reached("sent"),
  delivered: reached("delivered"),
  read: reached("read"),
  received: received.length,
  duplicates,
  lost,
  reordered,
  ms_p50: quantile(latencies, 0.5),
  ms_p99: quantile(latencies, 0.99),
};
const good = result.read === count && lost === 0 && duplicates === 0 && reordered === 0 && received.length === 1;
if (values.json) console.log(JSON.stringify(result));
else {
  console.log(
    `${result.sent} sent, ${result.delivered} delivered, ${result.read} read, ${result.received} received; ` +
      `${lost} lost, ${duplicates} doubled, ${reordered} chats out of order; ` +
      `accepted to sent ${result.ms_p50} ms (p50), ${result.ms_p99} ms (p99)`,
  );
}
process.exit(good ? 0 : 1);
