import { randomBytes } from "node:crypto";
import { AppError } from "../../../../lib/core/errors.ts";
import { deadline } from "../../../../lib/core/time.ts";
import type { Device } from "../phones/device.ts";
import type { Phone } from "../phones/phone.ts";
import type { Store } from "../store.ts";
import type { Connection } from "../wire/connection.ts";
import { lidJid, phoneJid } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { child, node, nowS, requiredBytes, server, stanzaId } from "../wire/stanza.ts";
import { companionSigned, signDevice } from "./adv.ts";
import type { LinkCodeExchange } from "./linkcode.ts";
import { agree, answerHello } from "./linkcode.ts";
import { Passkeys } from "./passkey.ts";
import type { Registration } from "./registration.ts";

/** Number of QR references, as WhatsApp offers them: the client shows the first for 60 s, the others for 20 s each. */
const refsOffered = 6;
/** Timeout of a companion's answer to the phone, in ms. Companions may stall. */
const answerTimeoutMs = 30_000;

type Pending = {
  phone: Phone;
  device: number;
  /** The companion signs these. Set once pair-success is sent. */
  details?: Buffer;
  linked: (device: Device | "passkey") => void;
  failed: (error: Error) => void;
};

type CodeHello = {
  jidPhone: string;
  wrappedEphemeral: Buffer;
  ref: string;
  exchange?: LinkCodeExchange;
  phone?: Phone;
};

/** A connection whose client is not linked to a phone. */
type Candidate = {
  connection: Connection;
  registration: Registration;
  refs: string[];
  code?: CodeHello;
  pending?: Pending;
  /** Retired secrets. The phone refuses a QR code with one of them. */
  retired: string[];
};

/** A `companion_reg_refresh` notification that was sent. */
export type Refresh = { id: string; acknowledged: boolean };
/** WhatsApp's names for the child of that notification. */
export type RefreshForm = "companion_reg_refresh" | "pair-device-rotate-qr";
/** Most refreshes that the control API can show. */
const maxRefreshes = 100;

/**
 * Links companions to phones.
 *
 *   candidate ──scan(qr)───────────────────────────────────┐
 *       └──companion_hello──enterCode──companion_finish────┤
 *                                                          ▼
 *                          pair-success ──pair-device-sign──▶ linked: 515, the client reconnects and logs in
 */
export class Pairing {
  readonly #store: Store;
  readonly #candidates = new Map<Connection, Candidate>();
  readonly #refreshes: (Refresh & { connection: Connection })[] = [];
  readonly passkeys: Passkeys;

  constructor(store: Store) {
    this.#store = store;
    this.passkeys = new Passkeys({
      registrationOf: (connection) => this.#candidates.get(connection)?.registration,
      succeed: (connection, phone, advSecret) => {
        const candidate = this.#candidates.get(connection);
        // The client's answer, or its absence, shows in the phone's devices.
        if (candidate) this.#succeed(candidate, phone, advSecret).catch(() => {});
      },
    });
  }

  /** Offers QR references to a client without an account. */
  offer(connection: Connection, registration: Registration): void {
    const refs = Array.from({ length: refsOffered }, () => `2@${randomBytes(48).toString("base64")}`);
    this.#candidates.set(connection, { connection, registration, refs, retired: [] });
    const content = refs.map((ref) => node("ref", {}, Buffer.from(ref)));
    connection.send(
      node("iq", { from: server, type: "set", id: stanzaId(), xmlns: "md" }, [node("pair-device", {}, content)]),
    );
  }

  forget(connection: Connection): void {
    this.#candidates
      .get(connection)
      ?.pending?.failed(new AppError("conflict", "The client disconnected before it was linked."));
    this.#candidates.delete(connection);
    this.passkeys.forget(connection);
  }

  /** Scans a QR code with the phone. Resolves when the companion is linked, or when the phone requires a passkey. */
  async scan(phone: Phone, qr: string): Promise<Device | "passkey"> {
    const [ref, noiseKey, identity, advSecret] = qr.slice(qr.indexOf("#") + 1).split(",");
    const candidate = [...this.#candidates.values()].find((other) => ref !== undefined && other.refs.includes(ref));
    if (!candidate || !noiseKey || !identity || !advSecret) {
      throw new AppError("conflict", "No connected client shows this QR code; request a new one.");
    }
    const { registration } = candidate;
    if (
      noiseKey !== registration.noiseKey.toString("base64") ||
      identity !== registration.identity.toString("base64")
    ) {
      throw new AppError("conflict", "The QR code has other keys than the client that shows it.");
    }
    if (candidate.retired.includes(advSecret))
      throw new AppError("conflict", "Couldn't link device: WhatsApp has retired this QR code.");
    const secret = Buffer.from(advSecret, "base64");
    if (!this.passkeys.isRequired(phone)) return this.#succeed(candidate, phone, secret);
    this.passkeys.request(candidate.connection, registration, phone, secret);
    return "passkey";
  }

  /** Retires the secret of a QR code or of a phone's pairing code, and notifies the client that shows it. */
  refresh(shown: { qr: string } | { phone: string }, form: RefreshForm): Refresh {
    const [ref, , , advSecret] = "qr" in shown ? shown.qr.slice(shown.qr.indexOf("#") + 1).split(",") : [];
    const candidate = [...this.#candidates.values()].findLast((other) =>
      "phone" in shown ? other.code?.jidPhone === shown.phone : ref !== undefined && other.refs.includes(ref),
    );
    if (!candidate) throw new AppError("conflict", "No connected client shows this code.");
    if (advSecret !== undefined) candidate.retired.push(advSecret);
    return this.#sendRefresh(candidate.connection, form);
  }

  refreshes(): Refresh[] {
    return this.#refreshes.map(({ id, acknowledged }) => ({ id, acknowledged }));
  }

  /** Records the acknowledgement of a refresh by a client without an account. */
  acknowledged(connection: Connection, ack: BinaryNode): void {
    const { attrs } = ack;
    this.passkeys.acknowledged(ack);
    const refresh = this.#refreshes.find((other) => other.connection === connection && other.id === attrs["id"]);
    if (refresh && attrs["class"] === "notification") refresh.acknowledged = true;
  }

  #sendRefresh(connection: Connection, form: RefreshForm): Refresh {
    const refresh = { id: stanzaId(), acknowledged: false, connection };
    this.#refreshes.push(refresh);
    if (this.#refreshes.length > maxRefreshes) this.#refreshes.shift();
    connection.send(
      node("notification", { from: server, type: "companion_reg_refresh", id: refresh.id, t: nowS() }, [node(form)]),
    );
    return { id: refresh.id, acknowledged: false };
  }

  /** Starts linking a client by pairing code, as the client requests it. */
  hello(connection: Connection, iq: BinaryNode): void {
    const candidate = this.#candidates.get(connection);
    const request = child(iq, "link_code_companion_reg");
    if (!candidate || !request) return;
    const ref = randomBytes(16).toString("base64");
    const phone = /^(\d+)@/.exec(request.attrs["jid"] ?? "")?.[1] ?? "";
    candidate.code = {
      jidPhone: phone,
      wrappedEphemeral: requiredBytes(request, "link_code_pairing_wrapped_companion_ephemeral_pub"),
      ref,
    };
    const answer = node("link_code_companion_reg", { stage: "companion_hello" }, [
      node("link_code_pairing_ref", {}, Buffer.from(ref)),
    ]);
    connection.send(node("iq", { from: server, type: "result", id: iq.attrs["id"] }, [answer]));
  }

  /** Enters a pairing code on the phone. Resolves as `scan` does. A wrong code is a conflict. */
  async enterCode(phone: Phone, code: string): Promise<Device | "passkey"> {
    const candidate = [...this.#candidates.values()].findLast((other) => other.code?.jidPhone === phone.phone);
    if (!candidate?.code) throw new AppError("conflict", "No client requests a link to this phone by code.");
    const exchange = await answerHello(code, candidate.code.wrappedEphemeral);
    candidate.code = { ...candidate.code, exchange, phone };
    const linked = this.#await(candidate, phone);
    candidate.connection.send(
      node("notification", { from: server, type: "link_code_companion_reg", id: stanzaId(), t: nowS() }, [
        node("link_code_companion_reg", { stage: "primary_hello" }, [
          node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, exchange.wrappedEphemeral),
          node("primary_identity_pub", {}, phone.identity.public),
          node("link_code_pairing_ref", {}, Buffer.from(candidate.code.ref)),
        ]),
      ]),
    );
    return linked;
  }

  /** Processes the companion's finish of linking by code. */
  finish(connection: Connection, iq: BinaryNode): void {
    const candidate = this.#candidates.get(connection);
    const request = child(iq, "link_code_companion_reg");
    const { exchange, phone } = candidate?.code ?? {};
    if (!candidate?.pending || !request || !exchange || !phone) return;
    let advSecret: Buffer;
    try {
      const identity = requiredBytes(request, "companion_identity_public");
      advSecret = agree(
        exchange,
        phone.identity,
        identity,
        requiredBytes(request, "link_code_pairing_wrapped_key_bundle"),
      );
    } catch (error) {
      connection.send(
        node("iq", { from: server, type: "error", id: iq.attrs["id"] }, [
          node("error", { code: "400", text: "bad-request" }),
        ]),
      );
      candidate.pending.failed(new AppError("conflict", "The client shows another code.", { cause: error }));
      return;
    }
    connection.send(node("iq", { from: server, type: "result", id: iq.attrs["id"] }));
    if (!this.passkeys.isRequired(phone)) return this.#sendSuccess(candidate, phone, advSecret);
    candidate.pending.linked("passkey");
    delete candidate.pending;
    this.passkeys.request(connection, candidate.registration, phone, advSecret);
  }

  /** Processes the companion's answer to pair-success. Returns false if none is expected on this connection. */
  signed(connection: Connection, iq: BinaryNode): boolean {
    const candidate = this.#candidates.get(connection);
    const answer = child(iq, "pair-device-sign");
    const { pending } = candidate ?? {};
    if (!candidate || !pending?.details || !answer) return false;
    const { phone, device, details, linked, failed } = pending;
    const { registration } = candidate;
    if (!companionSigned(phone.identity, registration.identity, details, requiredBytes(answer, "device-identity"))) {
      failed(new AppError("conflict", "The client's signature for the account is wrong."));
      connection.endWith({ code: "400" });
      return true;
    }
    this.#candidates.delete(connection);
    const companion = phone.link({ id: device, ...registration, linkedAt: Date.now(), synced: false });
    this.#store.afterCommit(() => {
      connection.endWith({ code: "515" });
      linked(companion);
    });
    return true;
  }

  #succeed(candidate: Candidate, phone: Phone, advSecret: Buffer): Promise<Device | "passkey"> {
    const linked = this.#await(candidate, phone);
    this.#sendSuccess(candidate, phone, advSecret);
    return linked;
  }

  #await(candidate: Candidate, phone: Phone): Promise<Device | "passkey"> {
    if (candidate.pending) throw new AppError("conflict", "This client is being linked already.");
    const { promise, resolve, reject } = Promise.withResolvers<Device | "passkey">();
    const expired = deadline(answerTimeoutMs);
    const onExpiry = () => failed(new AppError("upstream_timeout", "The client did not answer the phone in time."));
    const failed = (error: Error) => {
      delete candidate.pending;
      expired.removeEventListener("abort", onExpiry);
      reject(error);
    };
    const linked = (device: Device | "passkey") => {
      expired.removeEventListener("abort", onExpiry);
      resolve(device);
    };
    expired.addEventListener("abort", onExpiry);
    candidate.pending = { phone, device: phone.nextDeviceId(), linked, failed };
    return promise;
  }

  #sendSuccess({ connection, registration, pending }: Candidate, phone: Phone, advSecret: Buffer): void {
    if (!pending) return;
    const voucher = signDevice(phone.identity, registration.identity, pending.device, advSecret);
    pending.details = voucher.details;
    connection.send(
      node("iq", { from: server, type: "set", id: stanzaId(), xmlns: "md", t: nowS() }, [
        node("pair-success", {}, [
          node("device-identity", {}, voucher.envelope),
          // A client takes its name from here. Without a name it sends neither presence nor active receipts.
          node("biz", { name: phone.name }),
          node("platform", { name: "android" }),
          node("device", { jid: phoneJid(phone.phone, pending.device), lid: lidJid(phone.lid, pending.device) }),
        ]),
      ]),
    );
  }
}
