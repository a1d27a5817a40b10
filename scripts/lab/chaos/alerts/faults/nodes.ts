import { copyFile } from "node:fs/promises";
import type { Fault } from "../fault.ts";

export const nodeFaults: readonly Fault[] = [
  {
    name: "a certificate that expires in a week",
    needs: ["calls"],
    alerts: [
      { alert: "CertificateExpiry", labels: ({ calls }) => ({ instance: `127.0.0.1:${calls.edge.httpsPort}` }) },
    ],
    inject: async ({ calls: { edge } }) => {
      const { tls, expiring } = edge;
      const present = async (certificate: typeof tls) => {
        await copyFile(certificate.certFile, tls.certFile);
        await copyFile(certificate.keyFile, tls.keyFile);
        edge.reload();
      };
      const valid = { certFile: `${tls.certFile}.valid`, keyFile: `${tls.keyFile}.valid` };
      await copyFile(tls.certFile, valid.certFile);
      await copyFile(tls.keyFile, valid.keyFile);
      await present(expiring);
      return () => present(valid);
    },
  },
  {
    name: "a full disk",
    needs: ["disk"],
    alerts: [{ alert: "DiskFilling", labels: ({ disk }) => ({ disk: disk.device }) }],
    inject: async ({ disk }) => {
      await disk.fill();
      return () => disk.free();
    },
  },
  {
    name: "a frozen Consul",
    needs: [],
    alone: true,
    alerts: [{ alert: "DirectoryStale" }],
    inject: async ({ platform: { consul } }) => {
      consul.signal("SIGSTOP");
      return async () => consul.signal("SIGCONT");
    },
  },
];
