import { KeyRing } from "../../../lib/core/key_ring.ts";
import { messageOf } from "../../../lib/core/errors.ts";
import { keyPrefix } from "../../../lib/db/keys/api_key.ts";

/** The form of a secret's value, as --help and `task secrets` describe it. */
export type Format = {
  description: string;
  /** Why a value is refused, without the value; null if it is accepted. */
  fault(value: string): string | null;
};

/** Of 256 random bits in the alphabet of URLs, as `randomToken` makes them. Shorter ones are accepted. */
export const token: Format = {
  description: "text of at least 16 characters, without commas and spaces",
  fault: (value) =>
    /^[^\s,]{16,}$/.test(value) ? null : "must have at least 16 characters, without commas and spaces",
};

/** A password that stands in a URL as it is. */
export const password: Format = {
  description: "at least 16 of A-Z a-z 0-9 - _",
  fault: (value) => (/^[\w-]{16,}$/.test(value) ? null : "must have at least 16 of A-Z a-z 0-9 - _"),
};

/** As `password`, of the role itself, or after the name of its other login. */
export const loginPassword = (role: string): Format => ({
  description: password.description,
  fault: (value) => password.fault(value.startsWith(`${role}_b:`) ? value.slice(role.length + 3) : value),
});

export const keyRing: Format = {
  description: "keys with commas between, as id:base64 of 32 bytes (the first seals, each opens)",
  fault: (value) => {
    try {
      KeyRing.parse(value);
      return null;
    } catch (error) {
      return messageOf(error);
    }
  },
};

export const adminKey: Format = {
  description: "psk_, 8 letters or digits, _, 20 to 128 characters",
  fault: (value) =>
    keyPrefix(value) === undefined ? "must have the form psk_<8 letters or digits>_<20 to 128 characters>" : null,
};

export const accountSid: Format = {
  description: "AC and 32 hexadecimal digits",
  fault: (value) => (/^AC[0-9a-f]{32}$/.test(value) ? null : "must be AC and 32 hexadecimal digits"),
};
