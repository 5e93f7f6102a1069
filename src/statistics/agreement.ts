/** How far raters agree who gave labels to the same units. */
export interface Agreement {
  /** Units with two labels or more: those that say something about agreement. */
  readonly units: number;
  /** Share of the pairs of labels on one unit that are the same label, 0-1; a pair of a unit weighs 1 / (its labels - 1). */
  readonly raw: number;
  /** Krippendorff's alpha: 1 full agreement, 0 that of chance; undefined where all labels are the same one. */
  readonly alpha: number | undefined;
}

/**
 * Agreement of any number of raters, who need not have labelled every unit, about labels without an order.
 * @param units the labels that each unit got, of whomever.
 * @returns undefined where no unit has two labels.
 *
 * Source: Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: nominal data, any number of observers, missing data.
 */
export function nominalAgreement(units: readonly (readonly string[])[]): Agreement | undefined {
  const pairable = units.filter((labels) => labels.length >= 2);
  if (pairable.length === 0) return undefined;
  const totals = new Map<string, number>();
  let [all, alike] = [0, 0];
  for (const labels of pairable) {
    all += labels.length;
    for (const [label, count] of countsOf(labels)) {
      totals.set(label, (totals.get(label) ?? 0) + count);
      alike += (count * (count - 1)) / (labels.length - 1);
    }
  }
  const alikeByChance = [...totals.values()].reduce((sum, count) => sum + count * (count - 1), 0) / (all - 1);
  const raw = alike / all;
  const expected = alikeByChance / all;
  return { units: pairable.length, raw, alpha: totals.size < 2 ? undefined : 1 - (1 - raw) / (1 - expected) };
}

function countsOf(labels: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}
