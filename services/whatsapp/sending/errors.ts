/** The message can never be sent: it fails at once and does not block its chat. */
export class Undeliverable extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The chat's account has another JID, and is to be written to under that one. */
export class OtherName extends Error {
  override name = "OtherName";
  readonly account: string;

  constructor(account: string) {
    super("WhatsApp spells the number differently");
    this.account = account;
  }
}

/** WhatsApp must not be queried for `waitMs`. Says nothing about the message: only its chat waits. */
export class Transient extends Error {
  override name = "Transient";
  /** WhatsApp's code, or our own name for the cause. */
  readonly code: string;
  readonly waitMs: number;

  constructor(code: string, message: string, waitMs: number) {
    super(message);
    this.code = code;
    this.waitMs = waitMs;
  }
}
