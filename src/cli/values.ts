import { InvalidArgumentError } from "commander";

/** A whole number from 0 up. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

/** A number between 0 and 1. */
export function fraction(text: string): number {
  const value = /^(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError("It must be a number from 0 to below 1.");
  return value;
}

/** A number where the text is one, else the text. */
export function numberOrText(text: string): number | string {
  return /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : text;
}

const BYTE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  ...{ b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 },
  ...{ kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
};

/** A flag that is a size: `10GB`, `500MiB`, or a number of bytes. */
export function byteCount(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = BYTE_UNITS[unit?.toLowerCase() ?? ""];
  if (digits === undefined || factor === undefined) {
    throw new InvalidArgumentError("It must be a size: 10GB, 500MiB, or a number of bytes.");
  }
  return Math.floor(Number(digits) * factor);
}
