import { until } from "../../../../lib/testing/until.ts";
import type { SessionView } from "../../../../lib/contracts/shard/index.ts";
import type { Fault } from "../../rig/simulator.ts";
import type { Ordeal, Scene } from "./ordeals.ts";

/** The codes under which the faults below make messages fail. */
export const refusals: ReadonlySet<string> = new Set(["463", "404", "not_on_whatsapp"]);

/** So many messages are struck by a fault that strikes messages. */
const struck = 100;

/** What WhatsApp's side can do to a connection that ends it, and from which it returns by itself. */
const endings: Fault[] = [
  { kind: "drop", after_frames: 7 },
  { kind: "restart" },
  { kind: "unavailable", at: "stream" },
  { kind: "unavailable", at: "login", times: 3 },
  { kind: "unavailable", at: "upgrade", times: 3 },
  { kind: "login_failure", reason: "500", times: 3 },
  { kind: "login_failure", reason: "503", times: 3 },
];

/**
 * After these a login is left alone for long, or until somebody asks for it; and what the session gives as its reason.
 */
const halts: [Fault, reason: string][] = [
  [{ kind: "replaced" }, "(440)"],
  [{ kind: "login_failure", reason: "403", times: 1 }, "(403)"],
  [{ kind: "login_failure", reason: "405", times: 1 }, "(405)"],
];

/** What happens to messages and ticks. */
const disturbances: Fault[] = [
  { kind: "ack_delay", ms: 1_000, times: struck },
  { kind: "ack_lost", times: 5 },
  { kind: "ack_refuse", code: 463, times: 20 },
  { kind: "not_on_whatsapp", times: 20 },
  { kind: "duplicate", copies: 3, times: struck },
  { kind: "ticks", mode: "none", times: struck },
  { kind: "ticks", mode: "reversed", times: struck },
  { kind: "ticks", mode: "delayed", ms: 2_000, times: struck },
];

const nameOf = ({ kind, at, reason, mode }: Fault) =>
  [kind, at, reason, mode].filter((part) => typeof part === "string").join(" ");

/** Lets a fault last, and ends it. */
async function undergo({ stage, seconds }: Scene, fault: Fault): Promise<void> {
  await stage.simulator.fault(fault);
  await Bun.sleep(seconds * 1000);
  await stage.simulator.clearFaults();
}

/** Every fault that the simulator knows, one after the other. */
export const faultOrdeals: Ordeal[] = [
  ...endings.map((fault): Ordeal => ({
    name: nameOf(fault),
    undergo: async (scene) => {
      const { stage, cast } = scene;
      await stage.simulator.fault(fault);
      // Those that strike logins need some.
      if (fault.kind !== "drop" && fault["at"] !== "stream") await stage.simulator.fault({ kind: "drop" });
      await Bun.sleep(scene.seconds * 1000);
      await stage.simulator.clearFaults();
      // Told that WhatsApp is unavailable, a session leaves it alone for longer than anybody wants to wait here.
      for (const { id } of cast.businesses)
        await stage.shard.client.connect(stage.shard.location, id, { method: "qr" });
    },
  })),
  ...halts.map(([fault, reason]): Ordeal => ({
    name: `${nameOf(fault)}, then a connect`,
    undergo: async ({ stage, cast }) => {
      const { id, phone } = cast.businesses[0]!;
      if (fault.kind === "login_failure") await stage.simulator.fault({ ...fault, phone });
      const blow: Fault = fault.kind === "login_failure" ? { kind: "drop", phone } : { ...fault, phone };
      const halted = async () => {
        const view = await stage.shard.client.view(stage.shard.location, id);
        // Again where the blow fell on a connection that the session had given up already.
        if (view.status === "open") await stage.simulator.fault(blow);
        return view.reason?.includes(reason);
      };
      await until(halted, { what: `the session to end for ${reason}`, everyMs: 100, deadlineMs: 30_000 });
      await stage.shard.client.connect(stage.shard.location, id, { method: "qr" });
    },
  })),
  ...[false, true].map((answer_pings): Ordeal => ({
    name: answer_pings ? "silence behind answered pings" : "silence",
    undergo: (scene) =>
      undergo(scene, { kind: "silence", phone: scene.cast.businesses[0]!.phone, answer_pings, times: 1 }),
  })),
  ...disturbances.map((fault): Ordeal => ({ name: nameOf(fault), undergo: (scene) => undergo(scene, fault) })),
  { name: "logged out on the phone, paired anew", undergo: loggedOut },
];

/** The one end that is to be believed: the login is given up, kept aside, and a new one is made. */
async function loggedOut({ stage, cast: { apprentice } }: Scene): Promise<void> {
  const { shard, simulator } = stage;
  await simulator.fault({ kind: "logged_out", phone: apprentice.phone });
  const reaches = (status: SessionView["status"]) =>
    until<SessionView | undefined>(
      async () => {
        const view = await shard.client.view(shard.location, apprentice.id);
        return view.status === status ? view : undefined;
      },
      { what: `the session to be ${status}`, deadlineMs: 30_000 },
    );
  await reaches("logged_out");
  await shard.client.connect(shard.location, apprentice.id, { method: "qr" });
  await simulator.scan(apprentice.phone, (await reaches("qr")).qr ?? "");
  await reaches("open");
}
