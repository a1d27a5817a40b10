import { describe, expect, test } from "bun:test";
import { addFigures } from "./scenario.ts";
import { steps } from "./steps.ts";
import type { Figures } from "./steps.ts";

describe("addFigures", () => {
  test("keeps maxima and the worst placement", () => {
    const figures: Figures = {};
    addFigures(figures, { leader_lost_s_max: 3.5, placement_ok: false, blip_s: 20 });
    addFigures(figures, { leader_lost_s_max: 2, placement_ok: true });
    expect(figures).toEqual({ leader_lost_s_max: 3.5, placement_ok: false, blip_s: 20 });
  });
});

test("each step can be chosen alone by its name", () => {
  for (const { name } of steps) expect(steps.filter((other) => other.name.includes(name))).toHaveLength(1);
});
