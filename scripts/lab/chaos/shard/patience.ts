/** Longer than the growing waits after WhatsApp's refusals and the backlog behind them on a busy machine. */
export const patienceMs = 900_000;
