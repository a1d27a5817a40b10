import { bodyOf } from "../../../lib/api-client/index.ts";
import type { Schemas } from "../../../lib/api-client/index.ts";
import { adminApi } from "./admin_api.ts";
import { resultCommand, wholeNumber } from "../arguments.ts";
import { simulatorApi } from "./simulator.ts";
import { readStack } from "./stack.ts";
import { createWait } from "./wait.ts";

const values = resultCommand(
  "demo:call",
  `Call a business and let it call back.

Assigns a phone number to a new business. A simulated caller hears the recording notice, talks to
the menu that stands in for a voice agent and presses keys; then the business calls somebody. Prints
both calls as the API describes them. Exits 1 if one did not complete.`,
)
  .option("--deadline-s <n>", "seconds to wait for each step", wholeNumber(), 60)
  .parse()
  .opts();
const deadlineMs = values.deadlineS * 1000;

/** A call as the simulated carrier describes it. */
type Simulated = {
  status: string;
  heard_ms: number;
  streams: { marks: string[] }[];
  log: { what: string; detail?: string }[];
};

const say = (line: string) => console.error(line);
const wait = createWait(deadlineMs);

const stack = await readStack();
const simulator = await simulatorApi(stack);
const api = await adminApi(stack);

// Numbers of this run only. +999 belongs to no country.
const run = String(Date.now() % 1e8).padStart(8, "0");
const number = `+9990${run}`;
const consentLine = "This call is recorded.";

const { id: business_id } = await bodyOf(api.POST("/v1/businesses", { body: { name: `Demo of calls ${run}` } }));
const path = { business_id };
await api.PUT("/v1/businesses/{business_id}/phone_numbers/{number}", { params: { path: { ...path, number } } });
await api.PUT("/v1/businesses/{business_id}/call_settings", {
  params: { path },
  body: { record: true, consent_line: consentLine },
});
say(`business ${business_id} has ${number}`);

const simulated = (sid: string) => simulator<Simulated>("GET", `/calls/${sid}`);
const marksOf = (call: Simulated) => call.streams.flatMap(({ marks }) => marks);
const hangUp = (sid: string) => simulator("DELETE", `/calls/${sid}`);
const callDetail = (call_sid: string) =>
  bodyOf(api.GET("/v1/businesses/{business_id}/calls/{call_sid}", { params: { path: { ...path, call_sid } } }));
const ended = (sid: string) =>
  wait("the call's end", async () => ((await callDetail(sid)).ended_at === null ? null : callDetail(sid)));

/** A simulated caller calls in and presses keys. */
async function callIn(): Promise<{ call: Schemas["CallDetail"]; heard: Simulated }> {
  const { data } = await simulator<{ data: { sid: string }[] }>("POST", "/calls", {
    from: `+9991${run}`,
    to: number,
    digits: "12",
  });
  const { sid } = data[0]!;
  await wait("the menu to hear the keys", async () => marksOf(await simulated(sid)).includes("keys:12"));
  const { data: active } = await bodyOf(api.GET("/v1/businesses/{business_id}/calls/active", { params: { path } }));
  const { active: all, max_concurrent } = await bodyOf(api.GET("/v1/admin/calls"));
  say(`call in: ${active.length} in progress here, ${all} of ${max_concurrent} over all businesses`);
  const heard = await simulated(sid);
  await hangUp(sid);
  await ended(sid);
  // A worker fetches the recording, if the stack has file storage.
  const call = await createWait(Math.min(deadlineMs, 10_000))("the recording", async () => {
    const now = await callDetail(sid);
    return now.recordings.length > 0 && now.recordings[0]!.status !== "pending" ? now : null;
  }).catch(() => callDetail(sid));
  return { call, heard };
}

/** The business calls a simulated phone, which answers and listens. */
async function callOut(): Promise<Schemas["CallDetail"]> {
  const order = { from: number, to: `+9992${run}` };
  const params = { path, header: { "idempotency-key": `demo-${run}` } };
  const { call_sid } = await bodyOf(api.POST("/v1/businesses/{business_id}/calls", { params, body: order }));
  await wait("the answer", async () => marksOf(await simulated(call_sid)).includes("greeting"));
  await hangUp(call_sid);
  return ended(call_sid);
}

const line = ({ direction, from, to, status, duration_s, streams, recordings }: Schemas["CallDetail"]) =>
  `  ${direction.padEnd(8)} ${from} → ${to}  ${status} after ${duration_s} s, ${streams} stream(s), ` +
  `recordings: ${recordings.map((each) => each.status).join(", ") || "none"}`;

const inbound = await callIn();
say(line(inbound.call));
const outbound = await callOut();
say(line(outbound));

const wasAnnounced = inbound.heard.log.findIndex(({ what }) => what === "Say") >= 0;
const result = {
  inbound: inbound.call.status,
  heard_ms: inbound.heard.heard_ms,
  announced: wasAnnounced,
  recording: inbound.call.recordings[0]?.status ?? null,
  outbound: outbound.status,
};
if (values.json) console.log(JSON.stringify(result));
else console.log(`in: ${result.inbound}, recording ${result.recording}; out: ${result.outbound}`);
const good =
  result.inbound === "completed" && result.outbound === "completed" && wasAnnounced && result.recording !== null;
process.exit(good ? 0 : 1);
