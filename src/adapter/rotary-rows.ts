/**
 * Rows of a q or k matrix from Hugging Face's "half" rotary layout to the interleaved one of GGUF's llama: within each head of
 * 2h rows, row i of the first half goes to 2i and row i of the second half to 2i+1.
 * Source: llama.cpp conversion/llama.py, LlamaModel.permute.
 * @param bytes a row-major matrix of `rows` rows.
 * @param heads number of heads; `rows` is a multiple of 2 * heads.
 */
export function interleaveRows(bytes: Uint8Array, rows: number, heads: number): Uint8Array {
  return moveRows(bytes, rows, heads, (half, i) => [half * i.count + i.index, 2 * i.index + half]);
}

/** The inverse of {@link interleaveRows}. */
export function separateRows(bytes: Uint8Array, rows: number, heads: number): Uint8Array {
  return moveRows(bytes, rows, heads, (half, i) => [2 * i.index + half, half * i.count + i.index]);
}

type RowMove = (half: 0 | 1, i: { index: number; count: number }) => readonly [from: number, to: number];

function moveRows(bytes: Uint8Array, rows: number, heads: number, move: RowMove): Uint8Array {
  if (rows % (2 * heads) !== 0) throw new RangeError(`${rows} rows do not divide into ${heads} heads of two halves`);
  const rowBytes = bytes.byteLength / rows;
  const perHead = rows / heads;
  const count = perHead / 2;
  const result = new Uint8Array(bytes.byteLength);
  for (let head = 0; head < heads; head++) {
    for (const half of [0, 1] as const) {
      for (let index = 0; index < count; index++) {
        const [from, to] = move(half, { index, count });
        const start = (head * perHead + from) * rowBytes;
        result.set(bytes.subarray(start, start + rowBytes), (head * perHead + to) * rowBytes);
      }
    }
  }
  return result;
}
