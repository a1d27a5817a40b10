/** The failure of a scale command; its message says what to do. */
export class ScaleFailure extends Error {
  override readonly name = "ScaleFailure";
}
