import { z } from "zod";

/** Another message, as WhatsApp names it. */
export const reference = z.object({
  wa_message_id: z.string().min(1),
  /** True if the business wrote it. */
  from_me: z.boolean(),
  /** JID of who wrote it, where it was somebody else: in a group it is part of the name. */
  sender: z.string().optional(),
  /** The row it is kept in, where we know it. */
  id: z.string().optional(),
});
export type Reference = z.infer<typeof reference>;

/** A message that is answered: what the reader's phone shows above the answer goes along. */
export const quote = reference.extend({ type: z.string().optional(), text: z.string().optional() });
export type Quote = z.infer<typeof quote>;
