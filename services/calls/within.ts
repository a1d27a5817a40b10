import { AppError } from "../../lib/core/errors.ts";

/** Awaits `work`, or throws "unavailable" after `ms`; the abandoned work continues in the background. */
export async function within<T>(ms: number, work: Promise<T>, sentence: string): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new AppError("unavailable", sentence, { retryAfterS: 1 })), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
