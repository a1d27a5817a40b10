import { isIP } from "node:net";

/** Followed by every edge (consul/nginx.conf.ctmpl): "off", or the seconds of Retry-After and the addresses let in. */
export const maintenanceKey = "prosaas/edge/maintenance";

export type Maintenance = { retryAfterS: number; allowed: readonly string[] };

export const formatMaintenance = ({ retryAfterS, allowed }: Maintenance): string =>
  [retryAfterS, ...new Set(allowed)].join(" ");

/** The setting as the edge reads it; null if it is off, which a text of another form is as well. */
export function parseMaintenance(text: string | undefined): Maintenance | null {
  const [seconds = "", ...allowed] = (text ?? "").split(" ");
  if (!/^[0-9]{1,5}$/.test(seconds) || !allowed.every((address) => isIP(address) !== 0)) return null;
  return { retryAfterS: Number(seconds), allowed };
}
