import { InvalidArgumentError } from "commander";

/** A whole number from 0 up. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

/** A number where the text is one, else the text. */
export function numberOrText(text: string): number | string {
  return /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : text;
}
