import type { DecodeWork, Work } from "./engine.js";

/** What was computed between two looks at {@link Engine.work}. */
export function workBetween(before: Work | undefined, after: Work | undefined): Work | undefined {
  if (!before || !after) return after;
  const less = <T extends Readonly<Record<string, number>>>(a: T, b: T | undefined): T =>
    Object.fromEntries(Object.entries(a).map(([name, count]) => [name, count - (b?.[name] ?? 0)])) as T;
  const decode = Object.entries(after.decode)
    .map(([kind, counts]): [string, DecodeWork[string]] => [kind, less({ ...counts }, before.decode[kind])])
    .filter(([, { calls }]) => calls > 0);
  return {
    prefill: less(after.prefill, before.prefill),
    decode: Object.fromEntries(decode),
    saved: less(after.saved, before.saved),
    drafts: less(after.drafts, before.drafts),
  };
}
