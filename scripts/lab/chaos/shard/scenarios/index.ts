import { broadcasts } from "./broadcasts.ts";
import { changes } from "./changes.ts";
import { devices } from "./devices.ts";
import { groups } from "./groups.ts";
import { media } from "./media.ts";
import { missingContent } from "./missing_content.ts";
import { names } from "./names.ts";
import type { Scenario } from "./occurrence.ts";
import { ownPhones } from "./own_phone.ts";
import { refusals } from "./refusals.ts";
import { strangers } from "./strangers.ts";
import { timers } from "./timers.ts";

/** All scenarios of the side traffic, a family a file. */
export const scenarios: readonly Scenario[] = [
  ...missingContent,
  ...names,
  ...broadcasts,
  ...devices,
  ...refusals,
  ...media,
  ...changes,
  ...groups,
  ...strangers,
  ...ownPhones,
  ...timers,
];
