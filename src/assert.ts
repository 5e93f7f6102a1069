/**
 * The item at an index that the calling code knows to be inside the list.
 * @throws RangeError for an index outside it: a defect of this program, or of what it calls, never a user's mistake.
 */
export function at<T>(items: ArrayLike<T>, index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`no item at index ${index} of ${items.length}`);
  return item;
}

/**
 * A value that must be there.
 * @param what names the value in the error: "logits of the last token".
 * @throws RangeError where it is missing: a defect of this program, or of what it calls, never a user's mistake.
 */
export function defined<T>(value: T | null | undefined, what: string): T {
  if (value === undefined || value === null) throw new RangeError(`missing: ${what}`);
  return value;
}
