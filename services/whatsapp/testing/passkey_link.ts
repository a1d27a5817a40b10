import type { PasskeyView } from "../../../lib/contracts/shard/passkey.ts";
import { until } from "../../../lib/testing/until.ts";
import { Authenticator } from "../../simulator/testing/authenticator.ts";
import type { Deviation } from "../../simulator/testing/authenticator.ts";
import { control, makePhone } from "./shard_under_test.ts";
import type { ShardUnderTest, Simulator } from "./shard_under_test.ts";

type Target = { simulator: Simulator; shard: ShardUnderTest; business: string; phone: string };

/** The phone's side of a link, as the simulator shows it. */
export type PhoneView = {
  step: string;
  code: string | null;
  proof: boolean | null;
  failures: string[];
  acknowledged: number;
};

/** A business whose phone requires a passkey, and the owner who has it. */
export class PasskeyLink {
  readonly authenticator = new Authenticator();
  readonly #target: () => Target;

  /** `target` is read at each call: a restart replaces the shard. */
  constructor(target: () => Target) {
    this.#target = target;
  }

  onPhone(method = "GET", path = "", body?: object): Promise<PhoneView> {
    const { simulator, phone } = this.#target();
    return control<PhoneView>(simulator, method, `/phones/${phone}/passkey${path}`, body);
  }

  async require(settings: object = {}): Promise<void> {
    const { simulator, phone } = this.#target();
    await makePhone(simulator, phone);
    await this.onPhone("PUT", "", { credentials: [this.authenticator.credential], ...settings });
  }

  /** Starts the link by QR code. */
  async scan(): Promise<void> {
    const { simulator, shard, business, phone } = this.#target();
    await shard.json("POST", `/sessions/${business}/connect`, { method: "qr" });
    const { qr } = await shard.reaches(business, "qr");
    await control(simulator, "POST", `/phones/${phone}/scan`, { qr });
  }

  /** Waits until the link is at this step. */
  reaches(step: PasskeyView["step"], matches: (passkey: PasskeyView) => boolean = () => true): Promise<PasskeyView> {
    const { shard, business } = this.#target();
    return until<PasskeyView | undefined>(
      async () => {
        const { passkey } = await shard.view(business);
        return passkey?.step === step && matches(passkey) ? passkey : undefined;
      },
      { what: `the step ${step}` },
    );
  }

  answer(path: "assertion" | "confirm", body: object): Promise<Response> {
    const { shard, business } = this.#target();
    return shard.request("POST", `/sessions/${business}/passkey/${path}`, body);
  }

  /** Answers the challenge as the owner's browser does. */
  approve({ options }: PasskeyView, deviation?: Deviation): Promise<Response> {
    return this.answer("assertion", this.authenticator.assert(options!, deviation));
  }
}
