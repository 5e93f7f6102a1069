/**
 * Lower triangle L of L L' = the matrix, by rows. ml-matrix has it too, but takes a minute for 1536 rows where this takes a second: it reads every
 * number through a call.
 * @param matrix symmetric, [size, size]; the lower triangle is read.
 * @throws RangeError where the matrix is not positive definite, or holds NaN.
 */
export function choleskyRows(matrix: Float64Array, size: number): Float64Array[] {
  const rows: Float64Array[] = [];
  for (let i = 0; i < size; i++) {
    const row = matrix.slice(i * size, i * size + i + 1);
    for (const [j, other] of rows.entries()) row[j] = ((row[j] ?? 0) - dot(row, other, j)) / (other[j] ?? Number.NaN);
    const square = (row[i] ?? Number.NaN) - dot(row, row, i);
    if (!(square > 0)) throw new RangeError("a matrix is not positive definite");
    row[i] = Math.sqrt(square);
    rows.push(row);
  }
  return rows;
}

/** x with L' x = z. @param rows of L, as {@link choleskyRows} gives them. */
export function solveTransposed(rows: readonly Float64Array[], z: Float64Array): Float64Array {
  const x = z.slice();
  for (let i = rows.length - 1; i >= 0; i--) {
    const row = rows[i] ?? new Float64Array();
    const value = (x[i] ?? 0) / (row[i] ?? Number.NaN);
    x[i] = value;
    for (let j = 0; j < i; j++) x[j] = (x[j] ?? 0) - (row[j] ?? 0) * value;
  }
  return x;
}

/** Of the first so many values. */
function dot(a: Float64Array, b: Float64Array, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}
