/** Why a scale command did not work out: a sentence that says what to do. */
export class ScaleFailure extends Error {
  override readonly name = "ScaleFailure";
}
