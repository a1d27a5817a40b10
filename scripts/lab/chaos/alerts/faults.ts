import type { Fault } from "./fault.ts";
import { callFaults } from "./faults/calls.ts";
import { dataFaults } from "./faults/data.ts";
import { nodeFaults } from "./faults/nodes.ts";
import { shardFaults } from "./faults/shards.ts";

/** Every fault, in the order of injection. */
export const faults: readonly Fault[] = [...callFaults, ...shardFaults, ...dataFaults, ...nodeFaults];
