import { FormatError } from "../errors.js";

/** Bytes at the start of a file that {@link assertNotPlaceholder} wants to see. */
export const PLACEHOLDER_BYTES = 128;

/**
 * Checks that the first bytes of a file are not those of something that was stored in place of it: a Git LFS pointer, which a clone
 * without LFS leaves, or the web page around a download.
 * @throws FormatError that names what lies there.
 */
export function assertNotPlaceholder(start: Uint8Array | string, path: string): void {
  const text = (typeof start === "string" ? start : Buffer.from(start).toString("latin1")).slice(0, PLACEHOLDER_BYTES);
  if (text.startsWith("version https://git-lfs")) {
    throw new FormatError(path, {
      what: `${path} is a Git LFS pointer, not the file itself`,
      fix: "Run `git lfs pull` in its repository, or download the file itself.",
    });
  }
  if (/^\s*<(?:!doctype html|html)/i.test(text)) {
    throw new FormatError(path, {
      what: `${path} is a web page (HTML), not the file itself`,
      fix: "Download the file itself: on Hugging Face, its address has /resolve/ where the page has /blob/.",
    });
  }
}
