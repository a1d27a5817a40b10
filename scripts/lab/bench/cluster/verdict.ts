/** Limits of figures: a run with a figure beyond its limit fails. */
const limits: Readonly<Record<string, { most: number } | { least: number }>> = {
  directory_converge_s_max: { most: 2 },
  directory_lost: { most: 0 },
  moves_per_minute: { least: 100 },
  moves_rolled_back: { most: 0 },
  moves_rows_wrong: { most: 0 },
  rebalance_plan_s: { most: 5 },
  sessions_missing: { most: 0 },
  messages_lost: { most: 0 },
  messages_duplicated: { most: 0 },
};

/** One line for each figure beyond its limit. A figure that was not measured has no limit. */
export function exceeded(figures: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(limits).flatMap(([name, limit]) => {
    if (!(name in figures)) return [];
    const figure = Number(figures[name]);
    const isWithin = "most" in limit ? figure <= limit.most : figure >= limit.least;
    if (isWithin) return [];
    return [`${name} is ${figure}; allowed: at ${"most" in limit ? `most ${limit.most}` : `least ${limit.least}`}`];
  });
}
