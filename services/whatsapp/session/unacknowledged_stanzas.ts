import { BoundedMap } from "../../../lib/core/bounded_map.ts";

/** WhatsApp names one stanza for each connection that it ends. */
const maxStanzas = 16;

/**
 * The last stanzas that WhatsApp ended a connection over, because they were not acknowledged. One that recurs is
 * delivered again after each login and ends that connection, too.
 */
export class UnacknowledgedStanzas {
  readonly #alarmed = new BoundedMap<string, boolean>(maxStanzas);

  /** Records the id. True at its second time only, so that one stanza raises one alarm. */
  recurs(id: string): boolean {
    const alarmed = this.#alarmed.get(id);
    this.#alarmed.set(id, alarmed !== undefined);
    return alarmed === false;
  }
}
