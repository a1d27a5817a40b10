import { AuthStore } from "../../../services/whatsapp/auth/auth_store.ts";

/*
 * Preloaded into a shard: after SIGUSR2 the next write of several values dies by SIGKILL in the middle of its
 * transaction.
 */
let armed = false;
process.on("SIGUSR2", () => {
  armed = true;
});

// oxlint-disable-next-line typescript/unbound-method -- called on the store below
const write = AuthStore.prototype.write;

AuthStore.prototype.write = function (changes) {
  const all = [...changes];
  write.call(this, armed && all.length > 1 ? dyingHalfway(all) : all);
};

function* dyingHalfway<T>(changes: readonly T[]): Generator<T> {
  for (const [n, change] of changes.entries()) {
    if (n === Math.floor(changes.length / 2)) process.kill(process.pid, "SIGKILL");
    yield change;
  }
}
