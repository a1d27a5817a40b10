import { join } from "node:path";
import { commandLine } from "../arguments.ts";
import { typesFile, typesOfTheApi } from "./types.ts";

const { dryRun } = commandLine("client", "Generate the typed client from the API's OpenAPI document.")
  .option("--dry-run", "write nothing; exit 1 if the file is out of date", false)
  .parse()
  .opts();

const file = Bun.file(join(import.meta.dir, "../../..", typesFile));
const types = await typesOfTheApi();
const isCurrent = (await file.exists()) && (await file.text()) === types;
if (!isCurrent && !dryRun) await file.write(types);
console.log(`${typesFile} ${isCurrent ? "is up to date" : dryRun ? "is out of date" : "was written"}`);
process.exitCode = dryRun && !isCurrent ? 1 : 0;
