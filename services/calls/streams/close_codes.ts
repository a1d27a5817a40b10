/** Close codes of RFC 6455 §7.4, as media streams use them. */
export const closeCodes = {
  normal: 1000,
  unsupported: 1003,
  invalid: 1007,
  refused: 1008,
  restart: 1012,
  unavailable: 1013,
} as const;
