import { join } from "node:path";
import { root } from "../../stack/environment.ts";

/** Metrics of other programs: Prometheus itself, prom-client, Nomad's agents and the blackbox exporter. */
const ofOthers = [
  "up",
  "process_cpu_seconds_total",
  "nomad_client_host_disk_used_percent",
  "nomad_client_host_disk_inodes_percent",
  "probe_ssl_earliest_cert_expiry",
  "probe_success",
];

const creation = /metrics\s*\.(counter|gauge|histogram|tallies)(?:<[^>]*>)?\(\s*(?:"([a-z_]+)"|(\w+))/g;

/** The names of the metrics that a source file creates. */
export function metricsCreatedBy(source: string): string[] {
  return [...source.matchAll(creation)].flatMap(([, kind, name]) => {
    if (name === undefined) return [];
    const full = name.startsWith("prosaas_") ? name : `prosaas_${name}`;
    return kind === "histogram" || kind === "tallies"
      ? ["_bucket", "_sum", "_count"].map((suffix) => full + suffix)
      : [full];
  });
}

/** The names of all metrics that a rule may use. */
export async function exportedMetrics(): Promise<ReadonlySet<string>> {
  const paths = await Array.fromAsync(new Bun.Glob("{services,lib}/**/*.ts").scan({ cwd: root }));
  const sources = await Promise.all(
    paths.filter((path) => !/\.test\.ts$|\/testing\//.test(path)).map((path) => Bun.file(join(root, path)).text()),
  );
  return new Set([...ofOthers, ...sources.flatMap(metricsCreatedBy)]);
}

/** The names of the metrics in an expression: what is neither a function, a keyword, a label nor a text. */
export function metricsUsedIn(expr: string): string[] {
  const bare = expr
    .replaceAll(/"[^"]*"/g, "")
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, " ")
    .replaceAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, "");
  const names = [...bare.matchAll(/\b[a-zA-Z_]\w*\b(?!\s*\()/g)].map(([name]) => name);
  return [...new Set(names.filter((name) => !/^(and|or|unless|bool|offset)$/.test(name)))];
}
