import { SessionRecord } from "libsignal";

declare module "libsignal" {
  interface SessionRecord {
    closeSession(session: { indexInfo: { closed: number } }): void;
  }
}

/* libsignal prints a session, private keys and all, when it closes it. Here it is closed without a word. */
SessionRecord.prototype.closeSession = function closeQuietly(session) {
  session.indexInfo.closed = Date.now();
};
