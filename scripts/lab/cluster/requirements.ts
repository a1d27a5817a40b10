import { AppError } from "../../../lib/core/errors.ts";

const programs = ["ip", "nsenter", "unshare", "setsid", "flock", "openssl", "nginx", "consul", "nomad"];

/** @throws AppError that says what a cluster of namespaces needs and this machine lacks */
export function requireMachine(): void {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    throw new AppError("forbidden", "A cluster needs network namespaces and cgroups: run it as root on Linux.");
  const missing = programs.filter((program) => Bun.which(program) === null);
  if (missing.length > 0)
    throw new AppError(
      "unavailable",
      `These programs are missing: ${missing.join(", ")}. ./scripts/up installs nginx, Consul and Nomad; ` +
        "the others are in Debian's iproute2, util-linux and openssl.",
    );
}
