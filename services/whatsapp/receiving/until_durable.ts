import type { ConnectionControl } from "../session/connection_options.ts";

/** Resolves once data is durable. A failure is reported as one of the volume, and rejects. */
export async function untilDurable(
  durable: Promise<void>,
  { failVolume }: Pick<ConnectionControl, "failVolume">,
): Promise<void> {
  try {
    await durable;
  } catch (error) {
    failVolume(error);
    throw error;
  }
}
