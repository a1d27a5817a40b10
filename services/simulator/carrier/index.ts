export { Carrier } from "./carrier.ts";
export type { CarrierOptions } from "./carrier.ts";
export { carrierControl, carrierRest } from "./routes.ts";
