import { at, defined } from "../assert.js";
import { boundaryName, maskKey } from "../adapter/mask.js";
import { eachOnce, pairedColumns, weightedValue, type Columns, type Weights } from "../statistics/columns.js";
import { cautiousLow, differenceStandardError } from "../statistics/difference.js";
import { scoreOf, type CandidateScores } from "./scores.js";

/**
 * What a rule may ask about candidates: their scores on samples that each count so often. So the same rule chooses on all samples, in a
 * resample of them, or without those of a fold. Candidates are named by their place, by ascending K; the full adapter is the last.
 */
export class Evidence {
  private constructor(
    readonly candidates: readonly CandidateScores[],
    private readonly columns: ReadonlyMap<string, readonly Columns[]>,
    readonly weights: Weights,
  ) {}

  /**
   * Each sample once.
   * @param scored by ascending K; the full adapter is added where it is not among them.
   * @param metrics all that will be asked for.
   * @throws BoundaryError when the candidates differ in their number of samples.
   */
  static of(scored: readonly CandidateScores[], full: CandidateScores, metrics: readonly string[]): Evidence {
    const key = maskKey(full.candidate.mask);
    const candidates = [...scored.filter(({ candidate }) => maskKey(candidate.mask) !== key), full];
    const columns = new Map(
      [...new Set(metrics)].map((metric) => {
        return [metric, pairedColumns(candidates.map((one) => scoreOf(one, metric)))] as const;
      }),
    );
    const [first] = columns.values();
    return new Evidence(candidates, columns, eachOnce(at(defined(first, "a metric to choose by"), 0).samples));
  }

  /** The same candidates on samples that count otherwise. */
  weighted(weights: Weights): Evidence {
    return new Evidence(this.candidates, this.columns, weights);
  }

  get full(): number {
    return this.candidates.length - 1;
  }

  candidate(at: number): CandidateScores {
    const found = this.candidates[at];
    if (!found) throw new RangeError(`no candidate at ${at}`);
    return found;
  }

  boundary(at: number): number {
    return this.candidate(at).candidate.number;
  }

  /** What candidates are called, by their number. */
  name(boundary: number): string {
    return (
      this.candidates.find(({ candidate }) => candidate.number === boundary)?.candidate.name ?? boundaryName(boundary)
    );
  }

  /** 0-100. */
  value(at: number, metric: string): number {
    return weightedValue(this.columnsAt(at, metric), this.weights);
  }

  /** Standard error of a - b, paired over the samples, in points. */
  differenceError(a: number, b: number, metric: string): number {
    return differenceStandardError(this.columnsAt(a, metric), this.columnsAt(b, metric), this.weights);
  }

  /** Lower end of the interval of a - b in points, cautious where a few samples can hide a loss. @param level two-sided. */
  differenceLow(a: number, b: number, metric: string, level = 0.95): number {
    return cautiousLow(this.columnsAt(a, metric), this.columnsAt(b, metric), this.weights, level);
  }

  private columnsAt(at: number, metric: string): Columns {
    const found = this.columns.get(metric)?.[at];
    if (!found) throw new RangeError(`no score for ${metric} at ${at}`);
    return found;
  }
}
