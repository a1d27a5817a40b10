import { until } from "../../../../lib/testing/until.ts";
import type { SessionView } from "../../../../lib/contracts/shard/index.ts";
import type { Fault } from "../../rig/simulator.ts";
import { patienceMs } from "./patience.ts";
import type { Step, StepContext } from "./steps.ts";

/** Messages that a fault of messages hits. */
const struck = 100;

/** Faults that end a connection, after which a session reconnects by itself. */
const endings: Fault[] = [
  { kind: "drop", after_frames: 7 },
  { kind: "restart" },
  { kind: "unavailable", at: "stream" },
  { kind: "unavailable", at: "login", times: 3 },
  { kind: "unavailable", at: "upgrade", times: 3 },
  { kind: "login_failure", reason: "500", times: 3 },
  { kind: "login_failure", reason: "503", times: 3 },
];

/** Faults after which a session stops for long or until a connect request, with the session's reason. */
const halts: [Fault, reason: string][] = [
  [{ kind: "replaced" }, "(440)"],
  [{ kind: "login_failure", reason: "403", times: 1 }, "(403)"],
  [{ kind: "login_failure", reason: "405", times: 1 }, "(405)"],
];

/** Faults of messages and receipts. */
const disturbances: Fault[] = [
  { kind: "ack_delay", ms: 1_000, times: struck },
  { kind: "ack_lost", times: 5 },
  { kind: "message_lost", times: 5 },
  { kind: "ack_refuse", code: 463, times: 20 },
  { kind: "not_on_whatsapp", times: 20 },
  { kind: "duplicate", copies: 3, times: struck },
  { kind: "ticks", mode: "none", times: struck },
  { kind: "ticks", mode: "reversed", times: struck },
  { kind: "ticks", mode: "delayed", ms: 2_000, times: struck },
];

const nameOf = ({ kind, at, reason, mode }: Fault) =>
  [kind, at, reason, mode].filter((part) => typeof part === "string").join(" ");

/** Injects a fault for a while. */
async function holdFault({ stage, seconds }: StepContext, fault: Fault): Promise<void> {
  await stage.simulator.fault(fault);
  await Bun.sleep(seconds * 1000);
  await stage.simulator.clearFaults(fault.kind);
}

/** Every fault of the simulator, one after the other. */
export const faultSteps: Step[] = [
  ...endings.map((fault): Step => ({
    name: nameOf(fault),
    run: async (context) => {
      const { stage, logins } = context;
      await stage.simulator.fault(fault);
      // Faults of logins need a reconnect.
      if (fault.kind !== "drop" && fault["at"] !== "stream") await stage.simulator.fault({ kind: "drop" });
      await Bun.sleep(context.seconds * 1000);
      await stage.simulator.clearFaults(fault.kind);
      // A session that saw WhatsApp unavailable backs off for longer than the run waits.
      for (const { id } of logins.businesses) await stage.shard.connect(id);
    },
  })),
  ...halts.map(([fault, reason]): Step => ({
    name: `${nameOf(fault)}, then a connect`,
    run: async ({ stage, logins }) => {
      const { id, phone } = logins.businesses[0]!;
      if (fault.kind === "login_failure") await stage.simulator.fault({ ...fault, phone });
      const trigger: Fault = fault.kind === "login_failure" ? { kind: "drop", phone } : { ...fault, phone };
      const halted = async () => {
        const view = await stage.shard.client.view(stage.shard.location, id);
        // Repeats a fault that hit a connection which the session had already closed.
        if (view.status === "open") await stage.simulator.fault(trigger);
        return view.reason?.includes(reason);
      };
      await until(halted, { what: `the session to end for ${reason}`, everyMs: 100, deadlineMs: patienceMs });
      await stage.shard.connect(id);
    },
  })),
  ...[false, true].map((answer_pings): Step => ({
    name: answer_pings ? "silence behind answered pings" : "silence",
    run: (context) =>
      holdFault(context, { kind: "silence", phone: context.logins.businesses[0]!.phone, answer_pings, times: 1 }),
  })),
  ...disturbances.map((fault): Step => ({ name: nameOf(fault), run: (context) => holdFault(context, fault) })),
  { name: "logged out on the phone, paired again", run: loggedOut },
];

/** A logout is final: the shard sets the login aside and pairs a new one. */
async function loggedOut({ stage, logins: { pairingBusiness } }: StepContext): Promise<void> {
  const { shard, simulator } = stage;
  await simulator.fault({ kind: "logged_out", phone: pairingBusiness.phone });
  const reaches = (status: SessionView["status"]) =>
    until<SessionView | undefined>(
      async () => {
        const view = await shard.client.view(shard.location, pairingBusiness.id);
        return view.status === status ? view : undefined;
      },
      { what: `the session to be ${status}`, deadlineMs: patienceMs },
    );
  await reaches("logged_out");
  await shard.connect(pairingBusiness.id);
  await simulator.scan(pairingBusiness.phone, (await reaches("qr")).qr ?? "");
  await reaches("open");
}
