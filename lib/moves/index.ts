export { planMoves } from "./plan.ts";
export type { PlannedMove, PlanOptions } from "./plan.ts";
