import { loadSeed } from "./config.ts";
import { noiseRoot } from "./whatsapp/noise/identity.ts";

/* Prints the Noise root of SIMULATOR_SEED in base64. The shards need it as WA_NOISE_ROOT before the simulator runs. */
process.stdout.write(`${noiseRoot(loadSeed()).toString("base64")}\n`);
