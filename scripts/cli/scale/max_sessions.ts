import { Option } from "@commander-js/extra-typings";
import { wholeNumber } from "../arguments.ts";

/** A shard with 1,000 sessions takes 1,035 of the 1,536 MB that its job allows. */
const defaultMaxSessions = 1000;

/** An option of commands that move businesses. */
export const maxSessionsOption = () =>
  new Option("--max-sessions <n>", "most sessions on a shard that gets businesses")
    .argParser(wholeNumber(1, 100_000))
    .default(defaultMaxSessions);
