import { randomBytes } from "node:crypto";
import { sleep } from "../../../lib/core/time.ts";
import { nextAction, proceed } from "./call_options.ts";
import type { CallContext, Next } from "./call_options.ts";
import type { CallMedia } from "./call_media.ts";
import type { Instruction } from "./document.ts";
import type { Keypad } from "./keypad.ts";
import { Recorder } from "./recorder.ts";

type Parts = { media: CallMedia; keypad: Keypad };

/** Executes one TwiML instruction on a call. */
export async function execute(call: CallContext, parts: Parts, instruction: Instruction): Promise<Next> {
  const { msPerCharacter } = call.exchange;
  const { name, attributes, text, children } = instruction;
  switch (name) {
    case "Say":
      await sleep(text.length * msPerCharacter, call.over);
      return proceed;
    case "Play":
      await sleep(attributes["digits"] ? 100 * attributes["digits"].length : 10 * msPerCharacter, call.over);
      return proceed;
    case "Pause":
      await sleep(Number(attributes["length"] ?? 1) * 1000, call.over);
      return proceed;
    case "Gather":
      return gather(call, parts, instruction);
    case "Dial":
      return dial(call, instruction);
    case "Record":
      return record(call, instruction);
    case "Start":
      parts.media.startRecording(children);
      return proceed;
    case "Connect":
      return parts.media.connect(instruction);
    case "Redirect":
      return { step: "fetch", request: { url: text, extra: {} } };
    case "Hangup":
      return { step: "end", end: "application_hung_up" };
    case "Reject":
      return { step: "end", end: "rejected", status: attributes["reason"] === "busy" ? "busy" : "no-answer" };
    default:
      throw new Error(`the carrier does not support the TwiML verb ${name}`);
  }
}

async function gather(call: CallContext, parts: Parts, { attributes, children }: Instruction): Promise<Next> {
  for (const child of children) await execute(call, parts, child);
  const maxDigits = Number(attributes["numDigits"] ?? Number.POSITIVE_INFINITY);
  const finishKey = attributes["finishOnKey"] ?? "#";
  const until = performance.now() + Number(attributes["timeout"] ?? 5) * 1000;
  let digits = "";
  while (digits.length < maxDigits) {
    const digit = await parts.keypad.next(until);
    if (digit === null || digit === finishKey) break;
    digits += digit;
  }
  return digits === "" ? proceed : nextAction(attributes["action"], { Digits: digits });
}

async function dial(call: CallContext, { attributes, text, children }: Instruction): Promise<Next> {
  const number = children.find((child) => child.name === "Number")?.text ?? text;
  call.note("dialled", number);
  await sleep(100 * call.exchange.msPerCharacter, call.over);
  return nextAction(attributes["action"], {
    DialCallStatus: "completed",
    DialCallSid: `CA${randomBytes(16).toString("hex")}`,
    DialCallDuration: "1",
  });
}

async function record(call: CallContext, { attributes }: Instruction): Promise<Next> {
  const { recordings, msPerCharacter } = call.exchange;
  const recorder = new Recorder();
  await sleep(Math.min(Number(attributes["maxLength"] ?? 3600) * 1000, 20 * msPerCharacter), call.over);
  const recording = recordings.keep(call, recorder, 1);
  if (attributes["recordingStatusCallback"])
    recordings.announce(call, recording, attributes["recordingStatusCallback"]);
  return nextAction(attributes["action"] ?? call.options.webhooks.voiceUrl, {
    RecordingUrl: recording.url,
    RecordingDuration: String(recording.seconds),
    RecordingSid: recording.sid,
  });
}
