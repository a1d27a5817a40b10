import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { AppError } from "../../../lib/core/errors.ts";
import { KeyRing } from "../../../lib/core/key_ring.ts";
import { textOf } from "../../../lib/db/client/literal.ts";
import type { Statement } from "../../../lib/db/client/literal.ts";
import type { CopyScope } from "../../../lib/db/index.ts";
import type { SealedStore } from "../../../lib/storage/index.ts";
import { AuthStore } from "../auth/auth_store.ts";
import { claimVolume } from "../volume/volume.ts";
import type { Volume } from "../volume/volume.ts";
import { claimOwnCopy } from "./claim.ts";
import { readCopyRecord, writeCopyRecord } from "./copy_record.ts";
import type { CopyRecord } from "./copy_record.ts";
import { Lease } from "./lease.ts";
import { startCopy } from "./start.ts";
import type { CopyStart } from "./start.ts";

const keys = KeyRing.parse(`k1:${randomBytes(32).toString("base64")}`);
const logger = pino({ enabled: false });
const ownId = crypto.randomUUID();
const recorded: CopyRecord = {
  volume: ownId,
  epoch: 4,
  state: "live",
  behind: false,
  schema: "a schema",
  key: "k1",
  end: null,
};
const row = { shard: 1, epoch: 1, volume: ownId, state: "live", complete: false, exact: false, lease_left_ms: 15_000 };
let volume: Volume;

function withStore<T>(use: (store: AuthStore) => T): T {
  const store = AuthStore.open(volume.file("sessions", "bakery", "auth.db"), "bakery", keys);
  try {
    return use(store);
  } finally {
    store.close();
  }
}
const hasSignalSession = () => withStore((store) => store.read("session:5511987654321.0") !== undefined);

/** Answers each statement whose text contains one of the names; others find no rows. */
function postgres(answers: Record<string, () => object[]>): CopyScope {
  const ask = (statement: Statement) => {
    const found = Object.keys(answers).find((name) => textOf(statement).includes(name));
    return Promise.try(() => (found === undefined ? [] : answers[found]!()));
  };
  return { ask } as unknown as CopyScope;
}

const unavailable = () => {
  throw new AppError("unavailable", "Postgres is unavailable.");
};

beforeEach(() => {
  volume = claimVolume(mkdtempSync(join(tmpdir(), "discarded-copy-")), 1);
  withStore((store) => store.write([["session:5511987654321.0", Buffer.from("ratchet")]]));
});
afterEach(() => {
  volume.release();
  rmSync(volume.path, { recursive: true });
});

describe("a shard whose copy is missing", () => {
  const claim = (scope: CopyScope) =>
    claimOwnCopy({
      volume,
      keys,
      scope,
      storage: null as unknown as SealedStore,
      lease: new Lease(() => null),
      exact: false,
      fence: () => {},
      signal: new AbortController().signal,
      logger,
    });

  test("keeps its Signal sessions when its first claim fails", async () => {
    let failed = false;
    const insert = () => {
      if (failed) return [row];
      failed = true;
      return unavailable();
    };
    await claim(postgres({ "insert into shard_copies": insert }));
    expect(failed).toBeTrue();
    expect(hasSignalSession()).toBeTrue();
  });

  test.each([
    ["after a snapshot", recorded],
    ["after an interrupted restore", { ...recorded, state: "restoring", schema: "" } as const],
  ])("resets its Signal sessions %s", async (_, record) => {
    writeCopyRecord(volume, record);
    await claim(postgres({ "insert into shard_copies": () => [row] }));
    expect(hasSignalSession()).toBeFalse();
  });
});

describe("a shard whose copy is switched off", () => {
  const start = (answers: Parameters<typeof postgres>[0], remove: (key: string) => Promise<void>) =>
    startCopy({
      config: { WA_DURABILITY: "local", AUTH_KEYS: keys },
      volume,
      access: { scope: postgres(answers), storage: { delete: remove } as unknown as SealedStore },
      logger,
    } as unknown as CopyStart);
  const copies = {
    "delete from shard_copies": () => [{ snapshot_key: "copies/1/a", pending_key: "copies/1/b" }],
    "from shard_copies": () => [row],
  };

  test("ends without the storage", async () => {
    writeCopyRecord(volume, recorded);
    const asked: string[] = [];
    await start(copies, (key) => {
      asked.push(key);
      return Promise.reject(new Error("the storage is unavailable"));
    });
    expect(asked).toEqual(["copies/1/a", "copies/1/b"]);
    expect(readCopyRecord(volume)).toBeUndefined();
    expect(hasSignalSession()).toBeTrue();
  });

  test("keeps its Signal sessions when the answer is lost", async () => {
    writeCopyRecord(volume, recorded);
    const lost = { ...copies, "delete from shard_copies": unavailable };
    await expect(start(lost, () => Promise.resolve())).rejects.toThrow("unavailable");
    await start({}, () => Promise.resolve());
    expect(readCopyRecord(volume)).toBeUndefined();
    expect(hasSignalSession()).toBeTrue();
  });

  test("resets its Signal sessions after an operator discarded it", async () => {
    writeCopyRecord(volume, recorded);
    await start({}, () => Promise.resolve());
    expect(hasSignalSession()).toBeFalse();
  });
});
