import { randomInt } from "node:crypto";
import type { Phone } from "../phones/phone.ts";
import type { PhoneBook } from "../phones/phonebook.ts";
import type { Store } from "../store.ts";
import { stanzaId, node, nowS } from "../wire/stanza.ts";
import { Group } from "./group.ts";
import type { GroupState } from "./group.ts";

export type NewGroup = Pick<GroupState, "subject" | "members" | "addressing"> & { id?: string | undefined };

/** WhatsApp's group ids have 18 digits and start with 120363. */
const newId = () => `120363${String(randomInt(1e11)).padStart(12, "0")}`;

/** All groups. */
export class GroupBook {
  readonly #store: Store;
  readonly #phones: PhoneBook;
  readonly #groups = new Map<string, Group>();

  constructor(store: Store, phones: PhoneBook) {
    this.#store = store;
    this.#phones = phones;
    for (const { state } of store.db.query<{ state: string }, []>("SELECT state FROM groups").all()) {
      this.#add(new Group(JSON.parse(state) as GroupState));
    }
  }

  all(): Group[] {
    return [...this.#groups.values()];
  }

  /** Returns a group by its JID, or by the part before the "@". */
  get(name: string): Group | undefined {
    return this.#groups.get(name.replace(/@g\.us$/, ""));
  }

  create({ id = newId(), ...group }: NewGroup): Group {
    const created = new Group({ id, ...group, members: [...new Set(group.members)], createdAt: Date.now() });
    this.#add(created);
    this.#save(created);
    return created;
  }

  members({ state }: Group): Phone[] {
    return state.members.map((phone) => this.#phones.obtain(phone));
  }

  /** Changes a group's members, and notifies the companions of all current and former members. */
  change(group: Group, { add = [], remove = [] }: { add?: string[]; remove?: string[] }): void {
    const before = this.members(group);
    group.setMembers([...new Set([...group.state.members, ...add])].filter((phone) => !remove.includes(phone)));
    this.#save(group);
    const [admin] = before;
    for (const [tag, phones] of Object.entries({ add, remove })) {
      if (phones.length === 0 || admin === undefined) continue;
      const changed = phones.map((phone) => group.participantNode(this.#phones.obtain(phone)));
      for (const { devices } of new Set([...before, ...this.members(group)])) {
        for (const { mailbox } of devices.values()) {
          const attributes = { ...group.fromMember(admin), type: "w:gp2", id: stanzaId(), t: nowS() };
          mailbox.put(node("notification", attributes, [node(tag, {}, changed)]));
        }
      }
    }
  }

  #add(group: Group): void {
    this.#groups.set(group.state.id, group);
  }

  #save({ state }: Group): void {
    this.#store.writeLatest(`group ${state.id}`, () =>
      this.#store.db
        .query("INSERT OR REPLACE INTO groups (id, state) VALUES (?, ?)")
        .run(state.id, JSON.stringify(state)),
    );
  }
}
