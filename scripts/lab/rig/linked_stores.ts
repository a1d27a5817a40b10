import { KeyRing } from "../../../lib/core/key_ring.ts";
import { linkDirectly } from "../../../services/simulator/testing/direct_link.ts";
import type { LinkedLogin } from "../../../services/simulator/testing/direct_link.ts";
import { AuthState } from "../../../services/whatsapp/auth/auth_state.ts";
import { AuthStore } from "../../../services/whatsapp/auth/auth_store.ts";
import { claimVolume } from "../../../services/whatsapp/volume/volume.ts";
import { eachOf } from "./pairing.ts";
import type { Business } from "./pairing.ts";
import type { ShardProcess } from "./shard.ts";
import type { SimulatorControl } from "./simulator.ts";

/**
 * Links a simulated phone with each business by writing the stores of the logins to the volume of a shard that does not
 * run yet. Takes a tenth of the CPU time of {@link pairAll}, most of which makes and uploads 812 one-time keys a login.
 */
export async function linkAll(
  shard: ShardProcess,
  simulator: SimulatorControl,
  businesses: readonly Business[],
): Promise<void> {
  const keys = KeyRing.parse(shard.keys);
  const volume = claimVolume(shard.volume, shard.location.shard);
  try {
    await eachOf(businesses, 8, async ({ id, phone }) => {
      await simulator.makePhone(phone);
      const login = await linkDirectly((registration) => simulator.link(phone, registration));
      writeStore(volume.file("sessions", id, "auth.db"), id, keys, login);
    });
  } finally {
    volume.release();
  }
}

function writeStore(path: string, business: string, keys: KeyRing, { creds, preKeys }: LinkedLogin): void {
  // No power cut matters to a bench.
  const store = AuthStore.open(path, business, keys, undefined, "OFF");
  try {
    const onFault = (error: unknown) => {
      throw error;
    };
    const auth = new AuthState({ store, fence: () => {}, onFault });
    void auth.keys.set({ "pre-key": preKeys });
    Object.assign(auth.creds, creds);
    auth.saveCreds();
  } finally {
    store.close();
  }
}
