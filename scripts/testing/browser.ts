import { launch } from "puppeteer-core";
import type { Browser } from "puppeteer-core";

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
