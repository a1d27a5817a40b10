import type { Core } from "../flow/core.ts";
import type { CallState } from "../state/call.ts";
import { isLater } from "../state/call.ts";
import type { StartFrame } from "../twilio/frames.ts";
import type { AgentAddress } from "./agent_link.ts";
import { closeCodes } from "./close_codes.ts";
import type { StreamTokens } from "./token.ts";

export type ClaimOptions = {
  core: Pick<Core, "store">;
  tokens: StreamTokens;
  agent: AgentAddress | null;
  replica: string;
};

export type Claim = { call: CallState; agent: AgentAddress } | { refusal: string; code: number };

/** Claims a call for the stream that `frame` starts: the call's state then names this stream and this replica. */
export async function claimStream(
  { core, tokens, agent, replica }: ClaimOptions,
  callSid: string,
  frame: StartFrame,
): Promise<Claim> {
  const { start } = frame;
  const grant = start.callSid === callSid ? tokens.read(start.customParameters["token"] ?? "", callSid) : null;
  if (grant === null || start.streamSid !== frame.streamSid) return { refusal: "token", code: closeCodes.refused };
  if (agent === null) return { refusal: "no_agent", code: closeCodes.unavailable };
  let refusal: string | null = null;
  const claimed = await core.store.change(callSid, (call, nowMs) => {
    refusal = null;
    if (call.step !== "offered" || call.stream !== grant.stream) refusal = "replayed";
    else if (nowMs > grant.expiresAt) refusal = "expired";
    if (refusal !== null) return null;
    const status = isLater(call.status, "in-progress") ? "in-progress" : call.status;
    return {
      step: "streaming",
      stream_sid: start.streamSid,
      replica,
      status,
      answered_at: call.answered_at ?? nowMs,
    };
  });
  if (claimed === null || refusal !== null) return { refusal: refusal ?? "unknown_call", code: closeCodes.refused };
  return { call: claimed.call, agent };
}
