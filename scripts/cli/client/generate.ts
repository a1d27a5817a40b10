import { join } from "node:path";
import { typesFile, typesOfTheApi } from "./types.ts";

await Bun.write(join(import.meta.dir, "../../..", typesFile), await typesOfTheApi());
console.log(`wrote ${typesFile}`);
