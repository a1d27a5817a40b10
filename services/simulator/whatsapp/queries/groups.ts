import type { Group } from "../groups/group.ts";
import { userAddress } from "../wire/jid.ts";
import { child, children, StanzaError } from "../wire/stanza.ts";
import type { Query, QueryAnswer } from "./query.ts";
import { loggedIn } from "./query.ts";

/** Answers group queries: a group's metadata, the groups of a phone, and the creation of a group. */
export function groups(query: Query): QueryAnswer {
  const { simulation, iq } = query;
  const { phone } = loggedIn(query);
  const { groups: book } = simulation;
  const describe = (group: Group) => group.metadataNode(book.members(group));
  const { to = "", type } = iq.attrs;

  if (to !== "@g.us") {
    const group = book.get(to);
    if (!group) throw new StanzaError("404", "item-not-found");
    if (!group.has(phone)) throw new StanzaError("403", "forbidden");
    return [describe(group)];
  }
  if (type === "get" && child(iq, "participating")) {
    return [
      {
        tag: "groups",
        attrs: {},
        content: book
          .all()
          .filter((group) => group.has(phone))
          .map(describe),
      },
    ];
  }
  const create = child(iq, "create");
  if (!create) throw new StanzaError("501", "feature-not-implemented");
  const invited = children(create, "participant").flatMap(({ attrs }) => {
    const address = userAddress(attrs["jid"]);
    const member = address && simulation.phones.at(address);
    return member ? [member.phone] : [];
  });
  return [
    describe(
      book.create({ subject: create.attrs["subject"] ?? "", members: [phone.phone, ...invited], addressing: "lid" }),
    ),
  ];
}
