import { z } from "zod";
import { startS3Server } from "../../../lib/testing/s3_server.ts";

/* The bucket of a lab cluster, in memory. Its credentials come from the environment: arguments are public. */

const environment = z.object({
  BUCKET_HOST: z.string(),
  BUCKET_PORT: z.coerce.number(),
  S3_ACCESS_KEY_ID: z.string(),
  S3_SECRET_ACCESS_KEY: z.string(),
});
const { BUCKET_HOST, BUCKET_PORT, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = environment.parse(process.env);

startS3Server({
  bucket: "lab",
  accessKeyId: S3_ACCESS_KEY_ID,
  secretAccessKey: S3_SECRET_ACCESS_KEY,
  hostname: BUCKET_HOST,
  port: BUCKET_PORT,
});
