import { randomBytes } from "node:crypto";
import { delivered } from "./claim.ts";
import { oneOf } from "./occurrence.ts";
import type { Scenario } from "./occurrence.ts";

/** The query for the media host, which an upload needs, is refused for a while. */
const refusedQuery: Scenario = {
  name: "a media query refused",
  run: async (occurrence) => {
    const { business } = occurrence;
    const customer = await occurrence.customer();
    const fault = { kind: "query_refuse", phone: business.phone, query: "media", backoff: 1, times: 1 };
    await occurrence.fault({ ...fault, code: oneOf([429, 503]) });
    const media = await occurrence.keep(randomBytes(1_000));
    const caption = occurrence.text("our prices");
    const sent = await occurrence.submit(customer, { type: "document", media, file_name: "prices.bin", caption });
    return {
      happened: ({ whatsapp }) =>
        whatsapp.has("query_refused", ({ phone, query }) => phone === business.phone && query === "media"),
      checks: [delivered(business, { ...sent, text: caption }, customer)],
    };
  },
};

export const media: Scenario[] = [refusedQuery];
