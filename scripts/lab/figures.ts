/** Rounds a figure of a result. */
export const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits));
