import type { proto } from "@whiskeysockets/baileys";
import type { Logger } from "../../../lib/runtime/log.ts";
import type { Leave } from "./in_flight.ts";
import type { Ledger } from "./ledger.ts";
import { LoopScheduler } from "./loop_scheduler.ts";
import type { OnRefused } from "./refusals.ts";
import type { FinalResult } from "./result.ts";

export type Outgoing = {
  waMessageId: string;
  chat: string;
  message: proto.IMessage;
  /** Its trace context, if it is sampled. */
  trace?: string | undefined;
};

/** Calls `leave` when it is the message's turn in its chat. Resolves at once if that is later. */
export type Transmit = (leave: Leave) => Promise<void>;

/** Prepares one message for WhatsApp over an open connection. Resolves when it was passed to `transmit`. */
export type RelayMessage = (
  chat: string,
  message: proto.IMessage,
  waMessageId: string,
  transmit: Transmit,
) => Promise<void>;

export type LaneOptions = {
  businessId: string;
  ledger: Ledger;
  logger: Logger;
  /** Throws if this process may no longer send for its shard. */
  fence: () => void;
  /** WhatsApp's server has not acknowledged a message within the deadline. */
  onOverdue: () => void;
  /** `ms`: from handing the message over to WhatsApp's answer. */
  onResult?: (result: FinalResult, ms: number, waMessageId: string) => void;
  /** WhatsApp refused a message temporarily. Default: the rest of its chat may be sent again at once. */
  onRefused?: OnRefused;
  /** Shared with the lanes of the other sessions. */
  scheduler?: LoopScheduler;
  /** Messages that may be waiting or in flight. Default: 500. */
  capacity?: number;
  /** Messages that may be in flight: prepared or handed to WhatsApp, without an acknowledgement. Default: 100. */
  window?: number;
  /** Messages of one chat that may be in flight. Default: `window`. */
  chatWindow?: (chat: string) => number;
  /** Milliseconds until an acknowledgement is overdue. Default: 8,000. */
  ackDeadlineMs?: number;
  /** Milliseconds from the first failed preparation until a message may count as failed. Default: 0. */
  patienceMs?: number;
};

export type ResolvedLaneOptions = Required<Omit<LaneOptions, "onResult">> & Pick<LaneOptions, "onResult">;

export function withDefaults(options: LaneOptions): ResolvedLaneOptions {
  const { window = 100 } = options;
  return {
    scheduler: new LoopScheduler(),
    capacity: 500,
    window,
    chatWindow: () => window,
    ackDeadlineMs: 8_000,
    patienceMs: 0,
    onRefused: () => ({ waitMs: 0, holds: "chat" }),
    ...options,
  };
}
