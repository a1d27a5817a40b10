import { AuthStore } from "../auth/auth_store.ts";
import { Journal } from "../receiving/journal.ts";
import { Login } from "../session/login.ts";
import type { KillPoint } from "./shard_process.ts";

// Loaded into a shard's process by `bun run --preload`: kills the process as soon as a login has stored something, and
// before the journal has an entry about it.
const points: Record<KillPoint, () => void> = {
  "name of an account": () => {
    // The journal's next commit is later than the store's.
    const { append } = Journal.prototype;
    Journal.prototype.append = function (this: Journal, ...entry) {
      return entry[0] === "identities" ? new Promise(() => {}) : append.apply(this, entry);
    };
    const { write } = AuthStore.prototype;
    AuthStore.prototype.write = function (this: AuthStore, changes) {
      const all = [...changes];
      write.call(this, all);
      if (all.some(([name]) => name.startsWith("lid-mapping:") || name.startsWith("account-spelling:"))) die();
    };
  },
  logout: () => killAfter("archive"),
  suspension: () => killAfter("recordSuspension"),
};

function killAfter(method: "archive" | "recordSuspension"): void {
  const original = Login.prototype[method] as (...args: unknown[]) => void;
  Login.prototype[method] = function (this: Login, ...args: unknown[]) {
    original.apply(this, args);
    die();
  };
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
  // The signal ends the process before the next statement of this thread in practice, not by contract.
  for (;;);
}

points[process.env["KILL_POINT"] as KillPoint]();
