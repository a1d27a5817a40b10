import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../../../lib/runtime/log.ts";
import { until } from "../../../lib/testing/until.ts";
import { AuthState } from "../auth/auth_state.ts";
import { AuthStore } from "../auth/auth_store.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { Attempts } from "../receiving/attempts.ts";
import { History } from "../receiving/history.ts";
import { Statuses } from "../receiving/statuses.ts";
import { Placeholders } from "../receiving/placeholders.ts";
import { Timers } from "../sending/timers.ts";
import { ContactSalt } from "../sending/contact_salt.ts";
import { createCooldowns } from "../sending/cooldowns.ts";
import { Connection } from "./connection.ts";
import type { ConnectionEvents } from "./connection_options.ts";

describe("a connection", () => {
  test("is ended once by the watchdog if never open", async () => {
    const silent = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, server) => (server.upgrade(request) ? undefined : new Response(null, { status: 400 })),
      websocket: { message: () => {} },
    });
    const folder = mkdtempSync(join(tmpdir(), "connection-"));
    const store = AuthStore.open(
      join(folder, "auth.db"),
      "b",
      KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`),
    );
    const ends: number[] = [];
    const events: ConnectionEvents = {
      shown: () => {},
      passkey: () => {},
      passkeyFailed: () => {},
      paired: () => {},
      opened: () => {},
      codeRefused: () => {},
      ended: ({ code }) => void ends.push(code),
      acknowledged: () => {},
      restricted: () => {},
      received: () => Promise.resolve(),
      statusReceived: () => Promise.resolve(),
      statusDropped: () => {},
      identified: () => Promise.resolve(),
      receipt: () => Promise.resolve(),
      unavailable: () => Promise.resolve(),
      quarantined: () => Promise.resolve(),
      unknownStanza: () => {},
      stanzaFailed: () => {},
      deaf: () => {},
      undecryptable: () => {},
      undecryptableDropped: () => {},
      volumeFailed: () => {},
    };
    const logger = createLogger("test", "error");
    const auth = new AuthState({ store, fence: () => {}, onFault: () => {} });
    const connection = new Connection({
      businessId: "b",
      attempts: Attempts.open(join(folder, "attempts.map")),
      url: `ws://127.0.0.1:${silent.port}/ws/chat`,
      auth,
      placeholders: new Placeholders(store),
      history: new History({ businessId: "b", store: () => store, keys: auth.keys, logger }),
      timers: new Timers({ store: () => store, keys: auth.keys }),
      statuses: new Statuses(() => store),
      contactSalt: new ContactSalt(() => undefined),
      sentMessage: () => undefined,
      sentTo: () => undefined,
      setRecipients: async () => {},
      handedAt: () => undefined,
      cooldowns: createCooldowns(),
      kept: { original: () => Promise.resolve(), originalOf: () => undefined, unread: () => Promise.resolve() },
      standing: () => undefined,
      logger,
      events,
      connectDeadlineMs: 50,
    });
    await until(() => ends.length > 0, { what: "the watchdog" });
    await connection.drop();
    expect(ends).toEqual([408]);
    await silent.stop(true);
    store.close();
    rmSync(folder, { recursive: true });
  });
});
