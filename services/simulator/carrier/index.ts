export { Carrier } from "./carrier.ts";
export type { CarrierOptions } from "./carrier.ts";
export { carrierRoutes } from "./routes.ts";
