import { z } from "zod";
import { until } from "../../../../lib/testing/until.ts";
import { bunRun, startChild } from "../../rig/child.ts";
import { rigToken, SimulatorControl } from "../../rig/simulator.ts";
import { encodeRequest, Line } from "./wire.ts";

/*
 * The tenant that attacks nobody: it sends a message a second and holds a call. In a process of its own, so that the
 * attackers' work does not delay it.
 */

const settings = z.object({
  httpsPort: z.int(),
  id: z.string(),
  key: z.string(),
  contacts: z.array(z.string()),
  number: z.string(),
  simulatorUrl: z.string(),
});
export type TenantSettings = z.infer<typeof settings>;

/** A message that was posted: when it was due, and how the API answered. */
const posted = z.object({
  event: z.literal("posted"),
  due: z.number(),
  status: z.int(),
  ms: z.number(),
  id: z.string().optional(),
});
/** The call ended, or nothing was heard for too long. */
const callFailed = z.object({ event: z.literal("call_failed"), at: z.number(), what: z.string() });
const callUp = z.object({ event: z.literal("call_up") });
const report = z.discriminatedUnion("event", [posted, callFailed, callUp]);
export type Posted = z.infer<typeof posted>;
export type CallFailed = z.infer<typeof callFailed>;

/** Its own address: limits by address apply to it by itself. */
const source = "127.0.0.2";
const periodMs = 1_000;
const postBudgetMs = 15_000;
/** Above what a change of replica takes. */
const silenceMs = 3_000;

export type TenantProcess = {
  posts: Posted[];
  callFailures: CallFailed[];
  /** Resolves when its call is up. */
  ready(): Promise<void>;
  stop(): Promise<void>;
};

/** Starts the tenant's process; it goes on until it is stopped. */
export function startTenant(folder: string, given: TenantSettings): TenantProcess {
  const posts: Posted[] = [];
  const callFailures: CallFailed[] = [];
  let up = false;
  const child = startChild({
    command: bunRun("scripts/lab/fuzz/hostile/tenant.ts"),
    env: { TENANT: JSON.stringify(given) },
    logFile: `${folder}/tenant.log`,
    ipc: (message) => {
      const one = report.parse(message);
      if (one.event === "posted") posts.push(one);
      else if (one.event === "call_failed") callFailures.push(one);
      else up = true;
    },
  });
  return {
    posts,
    callFailures,
    ready: async () => void (await until(() => up, { deadlineMs: 30_000, what: "the tenant's call" })),
    stop: async () => {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

async function post(
  { httpsPort, id, key, contacts }: TenantSettings,
  n: number,
): Promise<{ status: number; id?: string }> {
  const line = await Line.open({ port: httpsPort, source });
  try {
    const headers = {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      "idempotency-key": crypto.randomUUID(),
    };
    const body = JSON.stringify({ to: contacts[n % contacts.length], type: "text", text: `quiet ${n}` });
    await line.write(encodeRequest({ method: "POST", path: `/v1/businesses/${id}/messages`, headers, body }));
    const answer = await line.answer(postBudgetMs);
    if (answer?.status !== 202) return { status: answer?.status ?? 0 };
    return { status: 202, id: (JSON.parse(answer.body) as { id: string }).id };
  } finally {
    line.close();
  }
}

async function sendEverySecond(tenant: TenantSettings): Promise<void> {
  const began = Date.now();
  for (let n = 0; ; n++) {
    const due = began + n * periodMs;
    await Bun.sleep(Math.max(0, due - Date.now()));
    // Not awaited: the next one is due whatever becomes of this one.
    void post(tenant, n)
      .catch(() => ({ status: 0 }))
      .then((answer) => process.send!({ event: "posted", due, ms: Date.now() - due, ...answer }));
  }
}

type CallView = { status: string; heard_ms: number; end: string | null };

/** Has somebody call, and listens: the agent says again what it hears, so that the caller always hears something. */
async function holdCall({ simulatorUrl, number }: TenantSettings): Promise<void> {
  const simulator = new SimulatorControl(simulatorUrl, rigToken);
  for (;;) {
    const placed = { from: "+15550000009", to: number, count: 1 };
    const { data } = await simulator.ask<{ data: { sid: string }[] }>("POST", "/calls", placed);
    const fault = await listen(() => simulator.ask<CallView>("GET", `/calls/${data[0]!.sid}`));
    process.send!({ event: "call_failed", at: Date.now(), what: fault });
  }
}

/** Resolves with what was wrong once the call is over or silent. */
async function listen(look: () => Promise<CallView>): Promise<string> {
  let heardMs = -1;
  let heardAt = Date.now();
  let isUp = false;
  for (;;) {
    const call = await look();
    if (call.end !== null) return `the call ended: ${call.end}`;
    if (call.heard_ms > heardMs) {
      [heardMs, heardAt] = [call.heard_ms, Date.now()];
      if (!isUp && heardMs > 0) process.send!({ event: "call_up" });
      isUp ||= heardMs > 0;
    } else if (Date.now() - heardAt > (isUp ? silenceMs : postBudgetMs)) {
      return `nothing was heard for ${Date.now() - heardAt} ms`;
    }
    await Bun.sleep(500);
  }
}

if (import.meta.main) {
  const tenant = settings.parse(JSON.parse(process.env["TENANT"] ?? "{}"));
  await Promise.all([sendEverySecond(tenant), holdCall(tenant)]);
}
