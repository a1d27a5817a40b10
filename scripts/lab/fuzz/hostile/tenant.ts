import { z } from "zod";
import { until } from "../../../../lib/testing/until.ts";
import { bunRun, startChild } from "../../rig/child.ts";
import { messageRequest } from "../../rig/customer_api.ts";
import { runLoad } from "../../rig/load.ts";
import { rigToken, SimulatorControl } from "../../rig/simulator.ts";
import { encodeRequest, Line } from "./wire.ts";

/*
 * The bystander: a tenant that sends a message a second and holds a call. It has a process of its own, so that the
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

/** A posted message: when it was due, and how the API answered. */
const posted = z.object({
  event: z.literal("posted"),
  due: z.number(),
  status: z.int(),
  ms: z.number(),
  id: z.string().optional(),
});
/** The call ended or was silent for too long. */
const callFailed = z.object({ event: z.literal("call_failed"), at: z.number(), what: z.string() });
const callUp = z.object({ event: z.literal("call_up") });
const report = z.discriminatedUnion("event", [posted, callFailed, callUp]);
export type Posted = z.infer<typeof posted>;
export type CallFailed = z.infer<typeof callFailed>;

/** Its own address, so that limits by address count it alone. */
const source = "127.0.0.2";
const postBudgetMs = 15_000;
/** Longer than a change of replica takes. */
const silenceMs = 3_000;

export type TenantProcess = {
  pid: number;
  posts: Posted[];
  callFailures: CallFailed[];
  /** Resolves when its call is up. */
  ready(): Promise<void>;
  stop(): Promise<void>;
};

/** Starts the tenant's process, which runs until it is stopped. */
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
    pid: child.pid,
    posts,
    callFailures,
    ready: async () => void (await until(() => up, { deadlineMs: 60_000, what: "the tenant's call" })),
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
    const to = contacts[n % contacts.length]!;
    await line.write(encodeRequest(messageRequest({ id, key }, to, `quiet ${n}`)));
    const answer = await line.answer(postBudgetMs);
    if (answer?.status !== 202) return { status: answer?.status ?? 0 };
    return { status: 202, id: (JSON.parse(answer.body) as { id: string }).id };
  } finally {
    line.close();
  }
}

/** Posts a message a second, whatever happens to earlier ones. */
function sendEverySecond(tenant: TenantSettings): Promise<void> {
  const epoch = Date.now() - performance.now();
  const send = async (n: number, due: number) => {
    const answer = await post(tenant, n).catch(() => ({ status: 0 }));
    process.send!({ event: "posted", due, ms: Date.now() - due, ...answer });
  };
  return runLoad(
    { perSecond: 1, jobsAt: (n, dueMs) => [{ run: () => send(n, epoch + dueMs) }] },
    Number.POSITIVE_INFINITY,
  );
}

type CallView = { status: string; heard_ms: number; end: string | null };

/** Dials a call and listens to it. The agent echoes the caller, so that the call is never silent. */
async function holdCall({ simulatorUrl, number }: TenantSettings): Promise<void> {
  const simulator = new SimulatorControl(simulatorUrl, rigToken);
  for (;;) {
    const order = { from: "+15550000009", to: number, count: 1 };
    const { data } = await simulator.ask<{ data: { sid: string }[] }>("POST", "/calls", order);
    const fault = await listen(() => simulator.ask<CallView>("GET", `/calls/${data[0]!.sid}`));
    process.send!({ event: "call_failed", at: Date.now(), what: fault });
  }
}

/** Resolves with the fault once the call is over or silent. */
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
