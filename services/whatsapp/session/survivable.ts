/** Thrown by the store for work that is still running when its connection has ended. */
export class ConnectionClosed extends Error {
  override name = "ConnectionClosed";

  constructor() {
    super("the connection has ended");
  }
}

/**
 * True if an unhandled error is a rejection that Baileys left behind, such as an unanswered query or a frame for a
 * closed socket. It concerns one session, which the end of its connection or the watchdog repairs; the process and its
 * other sessions go on.
 */
export function isSurvivable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    error instanceof ConnectionClosed ||
    "isBoom" in error ||
    (error.stack?.includes("/@whiskeysockets/baileys/") ?? false)
  );
}
