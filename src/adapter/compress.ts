import { Matrix, QrDecomposition, SingularValueDecomposition } from "ml-matrix";
import { AdapterError } from "../errors.js";
import { computedFactor, factorValues, filledMatrix } from "./factor.js";
import type { PeftAdapter, PeftModule } from "./peft-adapter.js";
import { unscaledRanks } from "./peft-targets.js";

/** Beyond this rank a decomposition in JavaScript takes minutes a module. */
const MAX_RANK = 1024;

/** What {@link compressedAdapter} made of an adapter. */
export interface Compressed {
  readonly adapter: PeftAdapter;
  /** Largest rank before and after. */
  readonly ranks: readonly [before: number, after: number];
  /** Largest relative error of a module's update, in the Frobenius norm. */
  readonly error: number;
}

/**
 * Each update as the one of the smallest rank that is at most so far from it: the truncated singular value decomposition, which is the
 * closest of its rank (Eckart and Young 1936). Scales go into B.
 * @param maxError largest ||U - U'|| / ||U||, in the Frobenius norm.
 * @throws AdapterError for updates of a rank above 1024, and for experts.
 */
export async function compressedAdapter(adapter: PeftAdapter, maxError: number): Promise<Compressed> {
  const found: { module: PeftModule; error: number }[] = [];
  for (const module of adapter.modules) found.push(await compressedModule(adapter.folder, module, maxError));
  const modules = found.map(({ module }) => module);
  const ranks = unscaledRanks(modules);
  return {
    adapter: { ...adapter, modules, config: { ...adapter.config, use_rslora: false, ...ranks } },
    ranks: [Math.max(0, ...adapter.modules.map(({ rank }) => rank)), ranks.r],
    error: Math.max(0, ...found.map(({ error }) => error)),
  };
}

async function compressedModule(
  folder: string,
  module: PeftModule,
  maxError: number,
): Promise<{ module: PeftModule; error: number }> {
  const { a, b, rank, modulePath, experts, scale } = module;
  if (experts !== undefined || rank > MAX_RANK) {
    throw new AdapterError(folder, {
      what: `${folder}: the update of ${modulePath} cannot be approximated`,
      actual: experts === undefined ? `rank ${rank}` : `${experts} experts`,
      expected: `a single matrix of rank ${MAX_RANK} at most`,
      fix: "Leave --max-error out, or merge the adapter into the base with `boundary merge`.",
    });
  }
  const [outputs = 0] = b.shape;
  const [, inputs = 0] = a.shape;
  const left = Matrix.from1DArray(outputs, rank, await factorValues(b));
  const right = Matrix.from1DArray(rank, inputs, await factorValues(a));
  const { u, v, singular } = decomposition(left, right);
  const { kept, error } = smallestRank(singular, maxError);
  const ofA = computedFactor(a, [kept, inputs], () => filledMatrix(kept, inputs, (row, column) => v.get(column, row)));
  const ofB = computedFactor(b, [outputs, kept], () =>
    filledMatrix(outputs, kept, (row, column) => scale * (singular[column] ?? 0) * u.get(row, column)),
  );
  return { module: { ...module, a: ofA, b: ofB, rank: kept, alpha: kept, scale: 1 }, error };
}

/** Singular values of B A with their vectors, without forming the product where its rank is below its sizes. */
function decomposition(b: Matrix, a: Matrix): { u: Matrix; v: Matrix; singular: readonly number[] } {
  const [ofB, ofA] = [thin(b), thin(a.transpose())];
  const core = ofB.r.mmul(ofA.r.transpose());
  const isWide = core.rows < core.columns;
  const parts = new SingularValueDecomposition(isWide ? core.transpose() : core);
  const [u, v] = isWide
    ? [parts.rightSingularVectors, parts.leftSingularVectors]
    : [parts.leftSingularVectors, parts.rightSingularVectors];
  return { u: ofB.q.mmul(u), v: ofA.q.mmul(v), singular: parts.diagonal };
}

/** Q and R of a tall matrix; of a wide one itself behind the identity. */
function thin(matrix: Matrix): { q: Matrix; r: Matrix } {
  if (matrix.rows <= matrix.columns) return { q: Matrix.eye(matrix.rows), r: matrix };
  const parts = new QrDecomposition(matrix);
  return { q: parts.orthogonalMatrix, r: parts.upperTriangularMatrix };
}

function smallestRank(singular: readonly number[], maxError: number): { kept: number; error: number } {
  const total = singular.reduce((sum, value) => sum + value ** 2, 0);
  let rest = 0;
  let kept = singular.length;
  while (kept > 1 && rest + (singular[kept - 1] ?? 0) ** 2 <= maxError ** 2 * total) {
    rest += (singular[kept - 1] ?? 0) ** 2;
    kept -= 1;
  }
  return { kept, error: total === 0 ? 0 : Math.sqrt(rest / total) };
}
