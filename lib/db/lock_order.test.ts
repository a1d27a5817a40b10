import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";

const root = new URL("../..", import.meta.url).pathname;
const changes =
  /\b(update|delete from) (messages|webhook_deliveries)\b|\.(update|delete)\((messages|webhookDeliveries)\)/;
const lockedInOrder =
  /order by [\w.]*\bid\b[^`]*?for update|orderBy\(\w+(\.id)?\)\s*\.for\("update"|for update( of \w+)? skip locked/;

/** Change one row. */
const single = new Set(["lib/db/media/fetches.ts"]);

test("bulk changes of messages and deliveries lock in order", () => {
  const files = [...new Bun.Glob("{lib,services}/**/*.{ts,sql}").scanSync({ cwd: root })].filter(
    (path) => !/\.test\.ts$|\/testing\/|\/migrations\/|node_modules|partitions\.sql$/.test(path),
  );
  const changing = files.filter((path) => changes.test(readFileSync(`${root}/${path}`, "utf8")));
  expect(changing.length).toBeGreaterThan(15);
  const unordered = changing.filter((path) => !lockedInOrder.test(readFileSync(`${root}/${path}`, "utf8")));
  expect(unordered.filter((path) => !single.has(path))).toEqual([]);
});
