/** Licences under which any package may be used: they ask for no more than their text and the names of the authors. */
export const permissiveLicences: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "Python-2.0",
  "Unlicense",
]);

export type AcceptedLicence = {
  /** Names of packages; `*` stands for the platform of a build. */
  package: string;
  licence: string;
  reason: string;
};

/** Packages with other licences. */
export const acceptedLicences: readonly AcceptedLicence[] = [
  {
    package: "libsignal",
    licence: "GPL-3.0",
    reason:
      "The Signal protocol, which Baileys needs to speak to WhatsApp. The tarballs whatsapp and simulator " +
      "contain it: give them to others under the GPL only, with the sources. Running them creates no such duty.",
  },
  {
    package: "@img/sharp-libvips-*",
    licence: "LGPL-3.0-or-later",
    reason: "A shared library that sharp loads. It is shipped as it was published, and can be replaced.",
  },
];

export type AcceptedAdvisory = {
  /** The advisory's address, as `bun audit` prints it. */
  url: string;
  package: string;
  /** Why it does no harm here. */
  reason: string;
  /** The day from which it must be judged again. */
  until: string;
};

/** Advisories that were examined. */
export const acceptedAdvisories: readonly AcceptedAdvisory[] = [];
