/** An option of a metric as it stands in the metric's name. */
export interface NamedOption {
  readonly key: string;
  readonly value: string | number;
  /** Options at their default are left out of the name. */
  readonly isDefault: boolean;
}

/** A metric's name with its options: `nameWithOptions("bleu", ...)` is "bleu", "bleu:tok=zh" or "bleu:tok=zh:smooth=floor". */
export function nameWithOptions(metric: string, options: readonly NamedOption[]): string {
  return [metric, ...changedOptions(options)].join(":");
}

/** A heading with the same options: "BLEU", "BLEU (tok=zh, smooth=floor)". */
export function labelWithOptions(heading: string, options: readonly NamedOption[]): string {
  const changed = changedOptions(options);
  return changed.length === 0 ? heading : `${heading} (${changed.join(", ")})`;
}

function changedOptions(options: readonly NamedOption[]): readonly string[] {
  return options.filter(({ isDefault }) => !isDefault).map(({ key, value }) => `${key}=${value}`);
}
