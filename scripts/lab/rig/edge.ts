import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { makeCertificate } from "../../../lib/testing/certificate.ts";
import { until } from "../../../lib/testing/until.ts";
import { freePort } from "../../../lib/testing/free_port.ts";

const root = join(import.meta.dir, "../../..");

export type Edge = {
  httpPort: number;
  httpsPort: number;
  /** PID of consul-template, the parent of nginx. */
  pid: number;
  stop(): Promise<void>;
};

export type EdgeOptions = {
  consoleRoot?: string;
  httpPort?: number;
  httpsPort?: number;
  /** Environment that overrides the edge's own. */
  env?: Record<string, string>;
  /** PEM files; a self-signed certificate by default. */
  tls?: { certFile: string; keyFile: string };
  /** With the waits of the job file, and with nomad/tasks/reload.sh. Otherwise changes are served sooner. */
  asDeployed?: boolean;
  /** URL of the Nomad whose variable nomad/jobs/nginx has the certificate, instead of `tls`. */
  nomadAddr?: string;
};

/** The edge as in production: nginx with consul/nginx.conf.ctmpl, rendered by consul-template. */
export async function startEdge(
  folder: string,
  consulAddr: string,
  ready: (httpsPort: number) => Promise<boolean>,
  options: EdgeOptions = {},
): Promise<Edge> {
  const { consoleRoot = join(root, "services/console"), env = {}, tls, asDeployed, nomadAddr } = options;
  await mkdir(folder, { recursive: true });
  const followed = nomadAddr === undefined ? null : await followNomad(folder, nomadAddr);
  const { certFile: certificate, keyFile: key } = followed ?? tls ?? makeCertificate(folder);

  const [httpPort, httpsPort] = [options.httpPort ?? (await freePort()), options.httpsPort || (await freePort())];
  const configuration = join(folder, "nginx.conf");
  const nginx = `/bin/sh consul/nginx.sh ${configuration}`;
  // reload.sh follows the files itself: it gets a signal that means nothing.
  const [wait, command, signal] = asDeployed
    ? ["250ms:2s", `/bin/sh nomad/tasks/reload.sh ${configuration} ${certificate} ${key} -- ${nginx}`, "SIGCONT"]
    : ["100ms:500ms", nginx, "SIGHUP"];
  const child = Bun.spawn(
    [
      "consul-template",
      `-consul-addr=${consulAddr}`,
      `-template=consul/nginx.conf.ctmpl:${configuration}`,
      ...(followed?.arguments ?? []),
      `-wait=${wait}`,
      // exec: consul-template starts a shell for it, which would keep the signals to itself.
      `-exec=exec ${command}`,
      `-exec-reload-signal=${signal}`,
      "-exec-kill-signal=SIGTERM",
      "-log-level=err",
    ],
    {
      cwd: root,
      env: {
        ...process.env,
        RUN_DIR: folder,
        LISTEN_HOST: "127.0.0.1",
        HTTP_PORT: String(httpPort),
        HTTPS_PORT: String(httpsPort),
        TLS_CERTIFICATE: certificate,
        TLS_KEY: key,
        CONSOLE_ROOT: consoleRoot,
        ...followed?.env,
        ...env,
      },
      stdout: Bun.file(join(folder, "requests.log")),
      stderr: Bun.file(join(folder, "edge.log")),
    },
  );
  const stop = async () => {
    // consul-template stops nginx first on SIGINT.
    child.kill("SIGINT");
    await child.exited;
  };
  try {
    await until(() => ready(httpsPort), { what: "the edge" });
  } catch (error) {
    await stop();
    throw new Error(`the edge did not come up:\n${await Bun.file(join(folder, "edge.log")).text()}`, { cause: error });
  }
  return { httpPort, httpsPort, pid: child.pid, stop };
}

/** The certificate with its key, as the template of the job file renders it, and consul-template's arguments. */
async function followNomad(folder: string, addr: string) {
  const [source, file] = [join(folder, "tls.pem.ctmpl"), join(folder, "tls.pem")];
  await Bun.write(source, '{{ with nomadVar "nomad/jobs/nginx" }}{{ .tls_certificate }}\n{{ .tls_key }}{{ end }}');
  return { certFile: file, keyFile: file, arguments: [`-template=${source}:${file}`], env: { NOMAD_ADDR: addr } };
}
