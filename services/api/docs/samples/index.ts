import { curlSample } from "./curl.ts";
import { javascriptSample } from "./javascript.ts";
import { pythonSample } from "./python.ts";
import type { SampleRequest } from "./request.ts";

export { exampleOf } from "./example.ts";
export { sampleFiles, sampleRequest } from "./request.ts";
export type { SampleRequest } from "./request.ts";

/** The languages of samples, in the order of the page. */
export const languages: Readonly<Record<string, (request: SampleRequest) => string>> = {
  curl: curlSample,
  JavaScript: javascriptSample,
  Python: pythonSample,
};
