/** JSON with sorted keys, so that equal values give equal text. */
export function stableJson(value: unknown): string {
  const sorted = (_key: string, item: unknown): unknown => {
    if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  };
  return `${JSON.stringify(value, sorted, 2)}\n`;
}
