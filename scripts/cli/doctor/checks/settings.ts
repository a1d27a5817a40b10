import type { SettingFault } from "../../../stack/settings/check.ts";
import { error, quoted } from "../finding.ts";
import type { Fault } from "../finding.ts";

/** Never with a value, which may be a secret. */
export const judgeSettings = (faults: readonly SettingFault[]): Fault[] =>
  faults.map(({ path, item, message }) =>
    error(
      `Item ${item} of the Nomad Variable ${path} is wrong: ${quoted(message)}`,
      'Correct it with nomad var put, then task secrets:apply. See "Settings and secrets" in nomad/README.md.',
    ),
  );
