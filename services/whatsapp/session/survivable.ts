/** What still runs for a connection that is over finds its store closed to it. */
export class ConnectionClosed extends Error {
  override name = "ConnectionClosed";

  constructor() {
    super("the connection that this belongs to is over");
  }
}

/**
 * Whether something that nobody caught is a promise that Baileys left behind: a query without an answer, a frame for
 * a socket that has closed. It concerns one session, which its connection's end or the watchdog puts right; the
 * others must not die of it.
 */
export function isSurvivable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    error instanceof ConnectionClosed ||
    "isBoom" in error ||
    (error.stack?.includes("/@whiskeysockets/baileys/") ?? false)
  );
}
