/** A score or a difference on the 0-100 scale, with one digit. */
export function points(value: number): string {
  return value.toFixed(1);
}

/** A difference with its sign; nothing is "-0.0". */
export function signed(value: number): string {
  const text = value.toFixed(1);
  return value > 0 && text !== "0.0" ? `+${text}` : text.replace(/^-0\.0$/, "0.0");
}
