import { proto } from "@whiskeysockets/baileys";
import { randomBytes } from "node:crypto";
import { AppError } from "../../../../lib/core/errors.ts";
import type { KeyPair } from "../keys.ts";
import { generateKeyPair } from "../keys.ts";
import type { Phone } from "../phones/phone.ts";
import type { Connection } from "../wire/connection.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { bytes, firstChild, node, nowS, requiredBytes, server, stanzaId, StanzaError } from "../wire/stanza.ts";
import { accountView, newAccount, recordFailure, recordNotification } from "./passkey_account.ts";
import type { Account, PasskeySettings } from "./passkey_account.ts";
import { codeOf, isHandoffProof, openPairingRequest, opensCommitment, parsePrologue } from "./passkey_crypto.ts";
import type { Prologue } from "./passkey_crypto.ts";
import type { Registration } from "./registration.ts";
import { relyingParty, verifyAssertion } from "./webauthn.ts";

/** One companion's exchange. */
type Exchange = {
  connection: Connection;
  registration: Registration;
  /** Undefined until an assertion names the account, if the companion began by itself. */
  account: Account | undefined;
  challenge?: { value: Buffer; expiresAt: number };
  ref?: string;
  prologue?: Prologue;
  ephemeral: KeyPair;
  nonce: Buffer;
  opened: boolean;
};

type Options = {
  registrationOf: (connection: Connection) => Registration | undefined;
  /** Called once the phone has the companion's keys: sends pair-success. */
  succeed: (connection: Connection, phone: Phone, advSecret: Buffer) => void;
};

/** WhatsApp and the phone in the exchange that links a companion with a passkey. */
export class Passkeys {
  readonly #options: Options;
  readonly #accounts = new Map<string, Account>();
  readonly #exchanges = new Map<Connection, Exchange>();
  /** The steps of the exchange, by a query's type and the tag of its content. */
  readonly #steps: Record<string, ((exchange: Exchange, request: BinaryNode) => BinaryNode[] | undefined) | undefined> =
    {
      "get passkey_request_options": (exchange) => [optionsNode(JSON.stringify(this.#offer(exchange)))],
      "get ref": (exchange) => {
        exchange.ref = `3@${randomBytes(32).toString("base64")}`;
        return [node("ref", {}, Buffer.from(exchange.ref))];
      },
      "set passkey_prologue": (exchange, request) => this.#prologue(exchange, request),
      "set companion_nonce": (exchange, request) => this.#nonce(exchange, request),
      "set encrypted_pairing_request": (exchange, request) => this.#pairingRequest(exchange, request),
    };

  constructor(options: Options) {
    this.#options = options;
  }

  set(phone: Phone, settings: PasskeySettings): void {
    this.#accounts.set(phone.phone, newAccount(phone, settings));
  }

  /** True if a companion of this phone is linked with a passkey only. */
  isRequired(phone: Phone): boolean {
    return this.#accounts.has(phone.phone);
  }

  view(phone: Phone) {
    return accountView(this.#accountOf(phone));
  }

  /** Requests a passkey instead of linking the companion. The phone keeps the secret with which it would have. */
  request(connection: Connection, registration: Registration, phone: Phone, priorSecret: Buffer): void {
    const account = this.#accountOf(phone);
    account.priorSecret = priorSecret;
    account.step = "requested";
    delete account.code;
    const exchange = this.#begin(connection, registration, account);
    this.#notify(
      exchange,
      account,
      "passkey_prologue_request",
      requestContent(account.settings, this.#offer(exchange)),
    );
  }

  /** Sends the request for a passkey again, `times` times, each with a new challenge. */
  requestAgain(phone: Phone, times: number): void {
    const account = this.#accountOf(phone);
    const exchange = this.#exchangeOf(account);
    for (let i = 0; i < times; i++)
      this.#notify(
        exchange,
        account,
        "passkey_prologue_request",
        requestContent(account.settings, this.#offer(exchange)),
      );
  }

  /** Sends stanzas of the exchange that do not come from WhatsApp's server. */
  spoof(phone: Phone): void {
    const { connection } = this.#exchangeOf(this.#accountOf(phone));
    const from = "5511900000000@s.whatsapp.net";
    const options = Buffer.from(
      JSON.stringify({ challenge: randomBytes(32).toString("base64url"), rpId: relyingParty }),
    );
    const identity = proto.PrimaryEphemeralIdentity.encode({
      publicKey: generateKeyPair().public,
      nonce: randomBytes(32),
    }).finish();
    for (const [type, content] of [
      ["passkey_prologue_request", node("passkey_request_options", {}, options)],
      ["crsc_continuation", node("primary_ephemeral_identity", {}, identity)],
    ] as const)
      connection.send(node("notification", { from, type, id: stanzaId(), t: nowS() }, [content]));
  }

  /** The phone's user cancels: WhatsApp closes the companion's connection. */
  cancel(phone: Phone): void {
    const account = this.#accountOf(phone);
    const { connection } = this.#exchangeOf(account);
    account.step = "idle";
    this.forget(connection);
    connection.close();
  }

  forget(connection: Connection): void {
    this.#exchanges.delete(connection);
  }

  acknowledged({ attrs: { id, class: tag } }: BinaryNode): void {
    if (id === undefined || tag !== "notification") return;
    for (const { notifications } of this.#accounts.values()) if (notifications.has(id)) notifications.set(id, true);
  }

  /** Answers a companion's query of the exchange; undefined if it is another query. */
  answer(connection: Connection, iq: BinaryNode): BinaryNode[] | undefined | "not_ours" {
    const request = firstChild(iq);
    const step = this.#steps[`${iq.attrs["type"]} ${request?.tag}`];
    if (step === undefined || request === undefined) return "not_ours";
    const exchange = this.#exchanges.get(connection) ?? this.#join(connection);
    try {
      return step(exchange, request);
    } catch (error) {
      if (error instanceof StanzaError) throw error;
      if (exchange.account) recordFailure(exchange.account, error);
      throw new StanzaError("403", "forbidden");
    }
  }

  #prologue(exchange: Exchange, request: BinaryNode): undefined {
    const payload = requiredBytes(request, "prologue_payload");
    const credentialId = requiredBytes(request, "credential_id");
    const account = (exchange.account ??= this.#ownerOf(credentialId));
    const { challenge } = exchange;
    delete exchange.challenge;
    if (!challenge) throw new Error("no challenge is open");
    if (Date.now() > challenge.expiresAt) throw new Error("the challenge has expired");
    verifyAssertion(requiredBytes(request, "webauthn_assertion"), {
      challenge: challenge.value,
      credentialId,
      credentials: account.credentials,
    });
    const prologue = parsePrologue(payload);
    if (prologue.ref !== exchange.ref) throw new Error("the reference is another one");
    const proof = bytes(request, "pairing_handoff_proof");
    if (proof && !(account.priorSecret && isHandoffProof(proof, account.priorSecret, payload)))
      throw new Error("the handoff proof is wrong");
    if (account.settings.outcome === "refuse") throw new Error("refused by the settings");
    exchange.prologue = prologue;
    account.proof = proof !== undefined;
    account.step = "verified";
    if (account.settings.outcome !== "silent") setTimeout(() => this.#continue(exchange, account), 0);
    return undefined;
  }

  #nonce(exchange: Exchange, request: BinaryNode): undefined {
    const { prologue, account, nonce, ephemeral } = exchange;
    const companionNonce = content(request);
    if (!prologue || account?.step !== "verified") throw new Error("no nonce is expected");
    if (companionNonce.length !== 32 || !opensCommitment(prologue, companionNonce))
      throw new Error("the nonce does not open the commitment");
    exchange.opened = true;
    account.step = "compare";
    const shown = account.settings.outcome === "other_code" ? randomBytes(32) : nonce;
    account.code = codeOf(shown, companionNonce, ephemeral.public);
    return undefined;
  }

  #pairingRequest(exchange: Exchange, request: BinaryNode): undefined {
    const { prologue, account, opened, ephemeral, registration, connection } = exchange;
    if (!prologue || !opened || !account) throw new Error("no pairing request is expected");
    const { noiseKey, identity, advSecret } = openPairingRequest(ephemeral, prologue, content(request));
    if (!noiseKey.equals(registration.noiseKey) || !identity.equals(registration.identity))
      throw new Error("the pairing request has other keys than the client");
    if (account.priorSecret?.equals(advSecret)) throw new Error("the ADV secret is not a new one");
    this.forget(connection);
    setTimeout(() => {
      account.step = "linked";
      this.#options.succeed(connection, account.phone, advSecret);
    }, 0);
    return undefined;
  }

  #accountOf(phone: Phone): Account {
    const account = this.#accounts.get(phone.phone);
    if (!account) throw new AppError("conflict", `The phone ${phone.phone} has no passkey.`);
    return account;
  }

  #exchangeOf(account: Account): Exchange {
    const found = [...this.#exchanges.values()].findLast((exchange) => exchange.account === account);
    if (!found) throw new AppError("conflict", "No companion is being linked with this phone's passkey.");
    return found;
  }

  #ownerOf(credentialId: Buffer): Account {
    const owner = [...this.#accounts.values()].find(({ credentials }) =>
      credentials.some(({ id }) => id.equals(credentialId)),
    );
    if (!owner) throw new StanzaError("404", "item-not-found");
    return owner;
  }

  /** The exchange of a companion that begins by itself, as WhatsApp Web does after it reconnected. */
  #join(connection: Connection): Exchange {
    const registration = this.#options.registrationOf(connection);
    if (!registration) throw new StanzaError("400", "bad-request");
    return this.#begin(connection, registration, undefined);
  }

  #begin(connection: Connection, registration: Registration, account: Account | undefined): Exchange {
    const keys = { ephemeral: generateKeyPair(), nonce: randomBytes(32), opened: false };
    const exchange: Exchange = { connection, registration, account, ...keys };
    this.#exchanges.set(connection, exchange);
    return exchange;
  }

  /** Opens a challenge, which replaces an earlier one. */
  #offer(exchange: Exchange): object {
    const { account } = exchange;
    const timeout = account?.settings.timeout_ms ?? 60_000;
    const value = randomBytes(32);
    exchange.challenge = { value, expiresAt: Date.now() + timeout };
    return {
      challenge: value.toString("base64url"),
      timeout,
      rpId: relyingParty,
      allowCredentials: (account?.credentials ?? []).map(({ id }) => ({
        id: id.toString("base64url"),
        type: "public-key",
        transports: ["internal", "hybrid"],
      })),
      userVerification: "required",
      extensions: { padding: "x".repeat(account?.settings.padding ?? 0) },
    };
  }

  #notify({ connection }: Exchange, account: Account, type: string, contents: BinaryNode[]): void {
    const id = stanzaId();
    recordNotification(account, id);
    connection.send(node("notification", { from: server, type, id, t: nowS() }, contents));
  }

  /** The phone answers the companion's prologue. */
  #continue(exchange: Exchange, account: Account): void {
    const identity = proto.PrimaryEphemeralIdentity.encode({
      publicKey: exchange.ephemeral.public,
      nonce: exchange.nonce,
    }).finish();
    this.#notify(exchange, account, "crsc_continuation", [node("primary_ephemeral_identity", {}, identity)]);
  }
}

const optionsNode = (json: string) => node("passkey_request_options", {}, Buffer.from(json));

function requestContent({ options }: PasskeySettings, offered: object): BinaryNode[] {
  if (options === "missing") return [];
  const json = JSON.stringify(offered);
  return [optionsNode(options === "sent" ? json : json.slice(0, -5))];
}

function content(request: BinaryNode): Buffer {
  return requiredBytes(node("iq", {}, [request]), request.tag);
}
