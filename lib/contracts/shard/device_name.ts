import { z } from "zod";

/** Letters and digits of any script, spaces, and a few signs. */
export const deviceNameForm = /^[\p{L}\p{N}][\p{L}\p{N}\p{M} .'&()-]{0,49}$/u;

/**
 * The name of a linked device, as the phone lists it: letters and digits of any script, spaces, and a few signs.
 * WhatsApp refuses to link some accounts to devices with unusual names.
 */
export const deviceName = z.string().regex(deviceNameForm, "must be 1 to 50 letters, digits, spaces or . ' & ( ) -");

/** The name of an ordinary computer. */
export const plainDeviceName = "Ubuntu";
