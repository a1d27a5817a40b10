import type { Phone } from "../phones/phone.ts";
import { groupJid, lidJid, phoneJid } from "../wire/jid.ts";
import type { BinaryNode } from "../wire/stanza.ts";
import { node } from "../wire/stanza.ts";

/** The kind of address by which members of a group appear to each other: LID or phone number. */
export type Addressing = "lid" | "pn";

export type GroupState = {
  /** The part of its JID before "@g.us". */
  id: string;
  subject: string;
  addressing: Addressing;
  /** Phone numbers. The first one is the creator. */
  members: string[];
  /** Unix ms. */
  createdAt: number;
};

/** The name of a member beside the one that the group uses. */
function otherName(member: Phone, addressing: Addressing): Record<string, string> {
  if (addressing === "pn") return { participant_lid: lidJid(member.lid) };
  return member.naming === "lid_only" ? {} : { participant_pn: phoneJid(member.phone) };
}

/** A group in the server's view. */
export class Group {
  #state: GroupState;

  constructor(state: GroupState) {
    this.#state = state;
  }

  get state(): Readonly<GroupState> {
    return this.#state;
  }
  get jid(): string {
    return groupJid(this.#state.id);
  }

  has({ phone }: Phone): boolean {
    return this.#state.members.includes(phone);
  }

  setMembers(members: string[]): void {
    this.#state = { ...this.#state, members };
  }

  /** Returns the JID of a member, or of one of its devices, in this group. */
  nameOf(member: Phone, device = 0): string {
    return this.#state.addressing === "lid" ? lidJid(member.lid, device) : phoneJid(member.phone, device);
  }

  /** Returns the attributes of a stanza from a member of the group. */
  fromMember(member: Phone, device = 0): Record<string, string> {
    const { addressing } = this.#state;
    return {
      from: this.jid,
      participant: this.nameOf(member, device),
      addressing_mode: addressing,
      ...otherName(member, addressing),
    };
  }

  /** The first member creates the group and administers it. */
  isAdministrator(member: Phone): boolean {
    return this.#state.members[0] === member.phone;
  }

  participantNode(member: Phone): BinaryNode {
    const admin = this.isAdministrator(member) ? "superadmin" : undefined;
    const other =
      this.#state.addressing === "lid" ? { phone_number: phoneJid(member.phone) } : { lid: lidJid(member.lid) };
    return node("participant", { jid: this.nameOf(member), ...other, type: admin });
  }

  metadataNode(members: Phone[]): BinaryNode {
    const { id, subject, addressing, createdAt } = this.#state;
    const created = String(Math.floor(createdAt / 1000));
    const [creator] = members;
    return node(
      "group",
      {
        id,
        subject,
        addressing_mode: addressing,
        creation: created,
        s_t: created,
        creator: creator && this.nameOf(creator),
        s_o: creator && this.nameOf(creator),
      },
      members.map((member) => this.participantNode(member)),
    );
  }
}
