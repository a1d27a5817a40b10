import { resultCommand } from "../../../cli/arguments.ts";
import { measureTable } from "./measure.ts";
import { tableFile, tableText } from "./render.ts";

const { json, write } = resultCommand(
  "access:table",
  `Print what each token may do in Consul, Nomad and Redis.

Starts a server of each kind with the policies and job files of this checkout, tries every right with
every token, and stops the servers. Changes nothing on a cluster.`,
)
  .option("--write", "write scripts/stack/access/TABLE.md, which the tests compare", false)
  .parse()
  .opts();

const sections = await measureTable();
if (write) await Bun.write(tableFile, tableText(sections));
console.log(json ? JSON.stringify({ sections }) : tableText(sections));
