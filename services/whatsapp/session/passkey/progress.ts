import type { PasskeyOptions, PasskeyStep, PasskeyView } from "../../../../lib/contracts/shard/passkey.ts";

/** A link that requires a passkey, as the session's state has it. */
export type PasskeyProgress = {
  step: PasskeyStep;
  /** Unix ms. */
  expiresAt: number;
  options?: PasskeyOptions | undefined;
  code?: string | undefined;
  reason?: string | undefined;
};

/** Survives the end of a connection, so that the next one can go on with the link. */
export type Handoff = {
  /** Proves that this companion showed the QR code or the pairing code. */
  key: Buffer;
  /** Until when the phone accepts the proof, Unix ms. Afterwards the owner has to compare a code. */
  keyUntil: number;
  /** The end of the link, Unix ms. */
  deadline: number;
};

export type PasskeyTimes = {
  /** The shortest lifetime of a challenge, whatever WhatsApp names. */
  challengeMs: number;
  /** Lifetime of the proof, as WhatsApp Web has it. */
  handoffMs: number;
  /** Time for the whole link, in which challenges are renewed. Longer than the proof lives. */
  windowMs: number;
  /** Time for WhatsApp to check an assertion and to reach the phone. */
  phoneMs: number;
  /** Time for the phone to link after the confirmation. */
  linkMs: number;
};

export const defaultPasskeyTimes: PasskeyTimes = {
  challengeMs: 10_000,
  handoffMs: 5 * 60_000,
  windowMs: 10 * 60_000,
  phoneMs: 90_000,
  linkMs: 60_000,
};

export function passkeyViewOf({ step, expiresAt, options, code, reason }: PasskeyProgress): PasskeyView {
  return {
    step,
    expires_at: new Date(expiresAt).toISOString(),
    ...(options === undefined ? {} : { options }),
    ...(code === undefined ? {} : { code }),
    ...(reason === undefined ? {} : { reason }),
  };
}
