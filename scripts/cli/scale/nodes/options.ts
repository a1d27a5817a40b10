import type { Command, OptionValues } from "@commander-js/extra-typings";
import { maxSessionsOption } from "../max_sessions.ts";

/** Options of the commands that make shards leave a node. */
export const departureOptions = <A extends unknown[], O extends OptionValues>(command: Command<A, O>) =>
  command
    .option("--with-copies", "take shards along with their copies; do not move businesses", false)
    .addOption(maxSessionsOption());
