import { loadSeed } from "./config.ts";
import { noiseRoot } from "./whatsapp/noise/identity.ts";

/* Prints the Noise root that SIMULATOR_SEED gives, base64: the WA_NOISE_ROOT of the shards, before anything runs. */
process.stdout.write(`${noiseRoot(loadSeed()).toString("base64")}\n`);
