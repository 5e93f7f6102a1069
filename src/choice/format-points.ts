/** A score or a difference on the 0-100 scale, with one digit. */
export function points(value: number): string {
  return value.toFixed(1);
}

/** A difference with its sign; nothing is "-0.0". */
export function signed(value: number): string {
  const text = value.toFixed(1);
  return value > 0 && text !== "0.0" ? `+${text}` : text.replace(/^-0\.0$/, "0.0");
}

/** Ends of an interval, in points. */
interface Range {
  readonly low: number;
  readonly high: number;
}

/** "-5.3 to +5.3": the interval of a difference. Where it leaves 0 out, no end is rounded to 0: "+0.03 to +5.3". */
export function signedRange({ low, high }: Range): string {
  const text = low > 0 || high < 0 ? (end: number) => signedBeside(end, 0) : signed;
  return `${text(low)} to ${text(high)}`;
}

/** "52.1 to 73.4": the interval of a share that means nothing where it is 50. Where it leaves 50 out, no end is rounded to 50. */
export function shareRange({ low, high }: Range): string {
  const text = low > 50 || high < 50 ? (end: number) => pointsBeside(end, 50) : points;
  return `${text(low)} to ${text(high)}`;
}

/** {@link points} with as many more digits as tell the value from a limit that it is compared with. */
export function pointsBeside(value: number, limit: number): string {
  let text = points(value);
  if (Math.abs(value - limit) < 10 ** -MOST_DIGITS) return text;
  for (let digits = 2; Number(text) === limit && digits <= MOST_DIGITS; digits++) text = value.toFixed(digits);
  return text;
}

/** {@link pointsBeside} with the sign. */
export function signedBeside(value: number, limit: number): string {
  const text = pointsBeside(value, limit).replace(/^-(0\.0+)$/, "$1");
  return Number(text) > 0 ? `+${text}` : text;
}

/** Digits after the point beyond which a number counts as equal to a limit. */
const MOST_DIGITS = 6;

/** A p value with three digits, or as many more as show that it is below 0.05; those below 0.001 say so. */
export function pText(p: number): string {
  if (p < 0.001) return "< 0.001";
  let text = p.toFixed(3);
  for (let digits = 4; p < 0.05 && Number(text) >= 0.05 && digits <= MOST_DIGITS; digits++) text = p.toFixed(digits);
  return p < 0.05 && Number(text) >= 0.05 ? "< 0.05" : text;
}
