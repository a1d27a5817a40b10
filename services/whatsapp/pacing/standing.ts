import { z } from "zod";
import type { BaileysEventMap, NewChatMessageCapInfo, ReachoutTimelockState, WASocket } from "@whiskeysockets/baileys";
import { messageOf } from "../../../lib/core/errors.ts";
import type { Logger } from "../../../lib/runtime/log.ts";

/** The restrictions that WhatsApp puts on an account. All times are Unix ms. */
export const standing = z.object({
  /** Until then no chat may be started: the reach-out time lock. */
  lockedUntil: z.number().nullable(),
  /** New chats of the period that ends at `until`. */
  newChats: z.object({ total: z.number(), used: z.number(), until: z.number() }).nullable(),
  /** When WhatsApp was last asked. */
  readAt: z.number(),
});
export type Standing = z.infer<typeof standing>;

const dayMs = 86_400_000;
/** After WhatsApp did not answer. */
const retryMs = 3_600_000;

type Options = {
  socket: () => Pick<WASocket, "ev" | "fetchAccountReachoutTimelock" | "fetchNewChatMessageCap">;
  /** The restrictions as they were last read; undefined before the first time. */
  known: () => Standing | undefined;
  onChange: (change: Partial<Standing>) => void;
  logger: Logger;
};

/** Reads an account's restrictions after it was linked and once a day, and takes WhatsApp's notifications of them. */
export class StandingWatch {
  readonly #options: Options;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(options: Options) {
    this.#options = options;
  }

  start(): void {
    const { socket, known, onChange } = this.#options;
    const { ev } = socket();
    ev.on("connection.update", ({ reachoutTimeLock }) => {
      if (reachoutTimeLock) onChange({ lockedUntil: lockOf(reachoutTimeLock) });
    });
    ev.on("message-capping.update", (cap: BaileysEventMap["message-capping.update"]) =>
      onChange({ newChats: capOf(cap) }),
    );
    this.#readIn((known()?.readAt ?? 0) + dayMs - Date.now());
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #readIn(ms: number): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#read(), Math.min(dayMs, Math.max(0, ms)));
  }

  async #read(): Promise<void> {
    const { socket, onChange, logger } = this.#options;
    try {
      const lock = await socket().fetchAccountReachoutTimelock();
      const cap = await socket().fetchNewChatMessageCap();
      onChange({ lockedUntil: lockOf(lock), newChats: capOf(cap), readAt: Date.now() });
      this.#readIn(dayMs);
    } catch (error) {
      logger.debug({ error: messageOf(error) }, "WhatsApp did not say how the account is restricted");
      this.#readIn(retryMs);
    }
  }
}

function lockOf({ isActive, timeEnforcementEnds }: ReachoutTimelockState): number | null {
  return isActive ? (timeEnforcementEnds?.getTime() ?? null) : null;
}

/** WhatsApp's numbers; null if the account has no cap. */
function capOf(cap: NewChatMessageCapInfo): Standing["newChats"] {
  const [total, used, seconds] = [cap.total_quota, cap.used_quota, cap.cycle_end_timestamp].map(Number);
  if (!(total! >= 0) || !(seconds! > 0)) return null;
  return { total: total!, used: used! >= 0 ? used! : 0, until: seconds! * 1_000 };
}
