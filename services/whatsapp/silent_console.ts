/**
 * Silences `console` in this process. libsignal prints whole session records through it ("Closing session: …"),
 * private ratchet keys among them, during ordinary sends. Our own log does not go through `console`.
 */
export function silenceConsole(): void {
  for (const method of ["log", "info", "warn", "error", "debug", "trace", "dir"] as const) console[method] = () => {};
}
