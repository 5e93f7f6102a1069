import type { Work } from "./engine.js";

/** What was computed between two looks at {@link Engine.work}. */
export function workBetween(before: Work | undefined, after: Work | undefined): Work | undefined {
  if (!before || !after) return after;
  const less = <T extends Readonly<Record<string, number>>>(a: T, b: T): T =>
    Object.fromEntries(Object.entries(a).map(([name, count]) => [name, count - (b[name] ?? 0)])) as T;
  return {
    prefill: less(after.prefill, before.prefill),
    decode: less(after.decode, before.decode),
    saved: less(after.saved, before.saved),
    drafts: less(after.drafts, before.drafts),
  };
}
