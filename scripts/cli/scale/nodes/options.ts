import type { Command, OptionValues } from "@commander-js/extra-typings";
import { wholeNumber } from "../../arguments.ts";

/** A shard with 1,000 sessions takes 1,035 of the 1,536 MB that its job allows. */
const maxSessions = 1000;

/** Options of the commands that make shards leave a node. */
export const departureOptions = <A extends unknown[], O extends OptionValues>(command: Command<A, O>) =>
  command
    .option("--with-copies", "take shards along with their copies; do not move businesses", false)
    .option(
      "--max-sessions <n>",
      "most sessions on a shard that gets businesses",
      wholeNumber(1, 100_000),
      maxSessions,
    );
