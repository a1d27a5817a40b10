import { z } from "zod";
import { fromAgent } from "./protocol.ts";
import type { AgentStart, FromAgent, ToAgent, TransferFailure } from "./protocol.ts";
import { tone } from "./mulaw.ts";

/** Output of a conversation: audio and messages. */
export type Line = { play(audio: Buffer): void; say(message: FromAgent): void };

export type MenuOptions = {
  /** Transfer target of the key 9; null: the key has no function. */
  transferTo: string | null;
};

const zState = z.object({ keys: z.string() });

const greeting = tone(440, 600);
const welcomeBack = Buffer.concat([tone(660, 150), tone(0, 50), tone(660, 150)]);
const keyHeard = tone(880, 120);

/**
 * A scripted conversation for development and tests. It greets with a tone and echoes audio. `*` clears the playback,
 * `9` transfers, `#` hangs up; every other key is stored in the agent state, which survives a change of replica.
 */
export class Menu {
  readonly #line: Line;
  readonly #options: MenuOptions;
  #keys = "";

  constructor(line: Line, options: MenuOptions) {
    this.#line = line;
    this.#options = options;
  }

  hear(audio: Buffer): void {
    this.#line.play(audio);
  }

  take(message: ToAgent): void {
    if (message.type === "start") this.#begin(message);
    if (message.type === "dtmf") this.#press(message.digit);
    if (message.type === "transfer_failed") this.#apologize(message.reason);
  }

  #apologize(reason: TransferFailure): void {
    this.#line.play(welcomeBack);
    this.#line.say({ type: "mark", name: `transfer_failed:${reason}` });
  }

  #begin({ resumed, state }: AgentStart): void {
    this.#keys = readKeys(state);
    this.#line.play(resumed ? welcomeBack : greeting);
    this.#line.say({ type: "mark", name: resumed ? "welcome_back" : "greeting" });
  }

  #press(digit: string): void {
    const { transferTo } = this.#options;
    if (digit === "#") return this.#line.say({ type: "hangup" });
    if (digit === "*") return this.#line.say({ type: "clear" });
    if (digit === "9" && transferTo !== null) return this.#line.say({ type: "transfer", to: transferTo });
    this.#keys += digit;
    this.#line.say(fromAgent.parse({ type: "state", state: JSON.stringify({ keys: this.#keys }) }));
    this.#line.play(keyHeard);
    this.#line.say({ type: "mark", name: `keys:${this.#keys}` });
  }
}

function readKeys(state: string | null): string {
  if (state === null) return "";
  try {
    return zState.parse(JSON.parse(state)).keys;
  } catch {
    return "";
  }
}
