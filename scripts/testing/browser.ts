import { launch, TimeoutError } from "puppeteer-core";
import type { Browser, Page } from "puppeteer-core";

type BrowserOptions = {
  userDataDir: string;
  /** Flag by which it accepts a test certificate. Default: accepts every certificate. */
  trust?: string;
  /** Rules for host names that lead to this machine, such as "MAP example.com 127.0.0.1:8443". */
  hosts?: readonly string[];
  /** Folders of extensions to load. */
  extensions?: string[];
};

/** Starts Debian's Chromium without a window. It resolves no name but `hosts`: by default it looks up its vendor's. */
export function startBrowser({
  userDataDir,
  trust = "--ignore-certificate-errors",
  hosts = [],
  extensions,
}: BrowserOptions): Promise<Browser> {
  const rules = [...hosts, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"].join(", ");
  return launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage", trust, `--host-resolver-rules=${rules}`],
    ...(extensions === undefined ? {} : { enableExtensions: extensions }),
    userDataDir,
    timeout: 60_000,
  });
}

/**
 * Loads a page, if need be a second time. Beside other tests on two cores, Chromium once reported no load event within
 * a minute, of a page that the server had answered before and after (puppeteer #10419 looks alike).
 */
export async function load(page: Page, url: string): Promise<void> {
  await page.goto(url, { timeout: 20_000 }).catch((error: unknown) => {
    if (!(error instanceof TimeoutError)) throw error;
    console.warn(`${url} did not load within 20 s: ${error.message}; trying again`);
    return page.goto(url);
  });
}
