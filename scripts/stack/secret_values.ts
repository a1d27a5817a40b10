/*
 * A secret has two values, with a comma between, while it is rotated (scripts/cli/secrets): the first is the one that
 * is presented, and each is accepted. Key rings have the same form for as long as their older keys open values.
 */

export const valuesOf = (secret: string): string[] => secret.split(",").filter(Boolean);

/** The value that clients present. */
export const presented = (secret: string): string => valuesOf(secret)[0] ?? "";

/** All values, for the service that checks them. Sorted: a new order is no change for it. */
export const accepted = (secret: string): string => valuesOf(secret).toSorted().join(",");

/*
 * Postgres has one password a role. The services' roles therefore have a second login each, as their member, and a
 * rotation goes from one login to the other: its value is `password`, or `<role>_b:password`.
 */

export const otherLogin = (role: string): string => `${role}_b`;

export type Login = { login: string; password: string };

export function loginOf(role: string, value: string): Login {
  const other = `${otherLogin(role)}:`;
  return value.startsWith(other)
    ? { login: otherLogin(role), password: value.slice(other.length) }
    : { login: role, password: value };
}

/**
 * The items with the passwords of both logins of `prosaas_<name>`: the role's own, which is empty while it may not log
 * in, and the other's, if it may.
 */
export function loginItems(name: string, secret: string): Record<string, string> {
  const role = `prosaas_${name}`;
  const logins = valuesOf(secret).map((value) => loginOf(role, value));
  const passwordOf = (login: string) => logins.find((one) => one.login === login)?.password;
  const other = passwordOf(otherLogin(role));
  return {
    [`${name}_password`]: passwordOf(role) ?? "",
    ...(other === undefined ? {} : { [`${name}_b_password`]: other }),
  };
}
