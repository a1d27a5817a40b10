import { signatureOf } from "../../../../services/calls/twilio/signature.ts";
import type { Customer } from "../../rig/platform.ts";
import type { SimulatorControl } from "../../rig/simulator.ts";
import { createRandom } from "../random.ts";
import type { Random } from "../random.ts";
import { encodeRequest, Line } from "./wire.ts";
import type { Answer, RequestParts } from "./wire.ts";

export type { Random } from "../random.ts";
export type { Answer } from "./wire.ts";

/** The attacker: a person on WhatsApp, a program with a key, the voice carrier, or anyone who reaches the edge. */
export type Origin = "stranger" | "tenant" | "carrier" | "visitor";

/** An attacking tenant: its key has every scope, and a number of its own for calls. */
export type Tenant = Customer & { number: string };

/** The target of the attacks and its entry points. */
export type Target = {
  httpPort: number;
  httpsPort: number;
  /** The URL that the carrier calls and signs. */
  publicUrl: string;
  tenants: readonly Tenant[];
  authToken: string;
  accountSid: string;
  simulator: SimulatorControl;
  /** Factor of the attackers' waits, below 1 for a short run. */
  patience: number;
  /** Messages from strangers and files that are still processed. */
  backlog(): Promise<number>;
};

/** The fault of an answer; undefined for a correct one. */
export type Verdict = string | undefined;

export type AttackKind = {
  name: string;
  from: Origin;
  /** Attacks of a full run. */
  count: number;
  /** Attacks in flight at once. */
  width: number;
  /** Time budget of one attack, ms. */
  budgetMs: number;
  run(attack: Attack, random: Random): Promise<Verdict>;
  /** Waits for the platform's backlog after the attacks. */
  settles: boolean;
};

type KindOptions = Partial<Pick<AttackKind, "count" | "width" | "budgetMs" | "settles">>;

/** Above the platform's own timeout of 10 s, plus the transfer. */
const defaultBudgetMs = 15_000;

export function kind(from: Origin, name: string, run: AttackKind["run"], options: KindOptions = {}): AttackKind {
  return {
    from,
    name: `${from}-${name}`,
    run,
    count: 50,
    width: 8,
    budgetMs: defaultBudgetMs,
    settles: false,
    ...options,
  };
}

/** One attack: its source address, tenant and means. */
export class Attack {
  readonly target: Target;
  readonly source: string;
  readonly tenant: Tenant;
  readonly budgetMs: number;
  readonly #lines: Line[] = [];

  constructor(target: Target, random: Random, budgetMs: number) {
    this.target = target;
    // 127.1.0.0/16: many addresses, like a botnet, so that limits by address alone do not protect the platform.
    this.source = `127.1.${random.below(250)}.${1 + random.below(250)}`;
    this.tenant = random.pick(target.tenants);
    this.budgetMs = budgetMs;
  }

  /** A connection to the edge, closed after the attack at the latest. */
  async line(options: { secure?: boolean; protocol?: "http/1.1" | "h2"; port?: number } = {}): Promise<Line> {
    const port = options.port ?? (options.secure === false ? this.target.httpPort : this.target.httpsPort);
    const line = await Line.open({ source: this.source, patience: this.target.patience, ...options, port });
    this.#lines.push(line);
    return line;
  }

  /** A request over a connection of its own. */
  async ask(request: RequestParts | Uint8Array): Promise<Answer | null> {
    const line = await this.line();
    await line.write(request instanceof Uint8Array ? request : encodeRequest(request));
    const answer = await line.answer(this.budgetMs);
    line.close();
    return answer;
  }

  /** A request with the tenant's key, under its business. */
  asTenant(
    method: string,
    path: string,
    body?: string | Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<Answer | null> {
    const { id } = this.tenant;
    const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
    return this.ask({
      method,
      path: `/v1/businesses/${id}${path}`,
      headers: { ...this.authorization, ...type, ...headers },
      ...(body === undefined ? {} : { body }),
    });
  }

  get authorization(): Record<string, string> {
    return { authorization: `Bearer ${this.tenant.key}` };
  }

  /** A form of the carrier with its signature. */
  asCarrier(path: string, form: URLSearchParams, headers: Record<string, string> = {}): Promise<Answer | null> {
    const { publicUrl, authToken } = this.target;
    return this.ask({
      method: "POST",
      path,
      headers: {
        host: new URL(publicUrl).host,
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": signatureOf(authToken, `${publicUrl}${path}`, [...form]),
        ...headers,
      },
      body: form.toString(),
    });
  }

  end(): void {
    for (const line of this.#lines) line.close();
  }
}

/** Random numbers of one attack, determined by seed, kind and index. */
export function randomOf(seed: number, kindName: string, n: number): Random {
  return createRandom(Number(BigInt.asUintN(32, Bun.hash.wyhash(`${seed}/${kindName}/${n}`))));
}

/** nginx answers 501 and 505 to unknown codings and versions; 503 is load shedding. */
const isServerError = (status: number) => status >= 500 && ![501, 503, 505].includes(status);

/** Accepts any answer but a server error; a closed connection too. */
export function survives(answer: Answer | null): Verdict {
  return answer !== null && isServerError(answer.status)
    ? `answered ${answer.status}: ${answer.body.slice(0, 200)}`
    : undefined;
}

/** The request must be refused: 4xx, 503 under load, or a closed connection. */
export function isRefused(answer: Answer | null): Verdict {
  if (answer === null || (answer.status >= 400 && !isServerError(answer.status))) return undefined;
  return `answered ${answer.status}, should refuse: ${answer.body.slice(0, 200)}`;
}
