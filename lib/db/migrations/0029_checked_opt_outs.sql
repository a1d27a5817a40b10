-- Takes the opt-outs of earlier releases for checked. A broadcast waits for the check of all of its business's opt-outs,
-- 50 a query; a business with 20,000 would send 400 queries in a row, which WhatsApp throttles. An opt-out that the
-- contact sent has the account's own spelling, and the others apply to their spelling, as before.
-- One statement: the check, which this spares, would update each of these rows once.
update opt_outs set checked_at = now() where checked_at is null;
