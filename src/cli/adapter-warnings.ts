import type { PeftAdapter } from "../adapter/peft-adapter.js";
import { note, warn } from "./output.js";

/**
 * Prints what is odd about a PEFT adapter that is used all the same.
 * @param leftOut what follows the words about parts of the model that are left out.
 */
export function printWarnings({ findings }: PeftAdapter, leftOut = ""): void {
  for (const { code, message, severity } of findings) {
    const say = severity === "note" ? note : warn;
    say(code === "other-part" ? message.replace(/\.$/, `${leftOut}.`) : message);
  }
}
