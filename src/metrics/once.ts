import type { Metric } from "./metric.js";

/**
 * The same metric, which looks at an answer to a sample once: many masks give the same answer, and an answer is looked at when it comes and again when
 * its candidate is scored. Samples are told apart by their list of references, which is one object for as long as a sample is there.
 */
export function onceAnAnswer(metric: Metric): Metric {
  const known = oncePer<readonly string[], Map<string, readonly number[]>>(() => new Map());
  return {
    ...metric,
    statistics: (prediction, references) => {
      const ofSample = known(references);
      const found = ofSample.get(prediction) ?? metric.statistics(prediction, references);
      ofSample.set(prediction, found);
      return found;
    },
  };
}

/** A function that computes its value once for each object, and forgets it with the object. */
export function oncePer<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const values = new WeakMap<K, V>();
  return (key) => {
    const found = values.get(key) ?? make(key);
    values.set(key, found);
    return found;
  };
}
