/** "system": as the reader's machine has it. */
export const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const place = "prosaas-theme";

export function chosenTheme(): Theme {
  const stored = localStorage.getItem(place);
  return themes.find((theme) => theme === stored) ?? "system";
}

export function applyTheme(theme: Theme = chosenTheme()): void {
  localStorage.setItem(place, theme);
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}
