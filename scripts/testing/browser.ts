import { launch } from "puppeteer-core";
import type { Browser } from "puppeteer-core";

/** Starts Debian's Chromium without a window. It accepts the edge's test certificate and reaches only this machine. */
export function startBrowser(userDataDir: string): Promise<Browser> {
  return launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--ignore-certificate-errors",
      "--disable-dev-shm-usage",
      // Chromium resolves names of its vendor by default.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
    userDataDir,
    timeout: 60_000,
  });
}
