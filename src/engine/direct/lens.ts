import { setImmediate } from "node:timers/promises";
import { at } from "../../assert.js";
import { withTemporaryFolder } from "../../files/temporary-folder.js";
import type { LensReading } from "../layer-reader.js";
import type { LensRequest } from "../layer-reader.js";
import type { DirectContext } from "./direct-context.js";
import type { DirectModel } from "./direct-model.js";
import { HiddenReader, type NativeStates } from "./hidden-states.js";
import type { Pointer } from "./native-array.js";
import { writeNullLayerModel } from "./one-layer-models.js";
import { equalBits } from "./shortcuts.js";

/** Rows that meet the output head at once: logits of a large vocabulary take a megabyte each. */
const ROWS = 64;

/**
 * The model's own final norm and output head, for any hidden state: a model of one layer whose output projections are zero, so that its layer
 * hands on what it is given (the logit lens of nostalgebraist, 2020).
 */
class OutputHead {
  private constructor(
    private readonly model: DirectModel,
    private readonly context: DirectContext,
  ) {}

  /** @throws FileError when the small model cannot be written, Error when llama.cpp refuses it. */
  static async open(base: DirectModel): Promise<OutputHead> {
    // The folder may go at once: what is mapped into memory stays.
    return withTemporaryFolder("lens", async (folder) => {
      const model = base.loadPart(await writeNullLayerModel(base.path, folder));
      const shape = {
        sequences: 1,
        contextSize: ROWS,
        batchSize: ROWS,
        cacheType: "F16",
        flashAttention: "auto",
      } as const;
      return new OutputHead(model, model.openContext(shape));
    });
  }

  /** @param address float32 [count, embedding length]. @param use sees each row of logits in turn, until it returns. */
  read(address: Pointer, count: number, use: (logits: Float32Array, row: number) => void): void {
    const rowBytes = this.model.embeddingLength * Float32Array.BYTES_PER_ELEMENT;
    for (let from = 0; from < count; from += ROWS) {
      this.context.clear();
      const rows = { count: Math.min(ROWS, count - from), position: 0, firstOutput: 0, asIfAlone: false } as const;
      const logits = this.context.decodeHidden({ ...rows, address: address + BigInt(from * rowBytes) });
      for (const [i, row] of logits.entries()) use(row, from + i);
    }
  }

  close(): void {
    this.context.close();
    this.model.close();
  }
}

/**
 * What every layer would say next, at each place where a token of the continuation follows: one pass over each prompt.
 * @throws Error where the head does not give the model's own logits for its last layer: then no reading would be right.
 */
export async function readLens(
  model: DirectModel,
  { pieces, context, prompts }: LensRequest,
  onReading: (reading: LensReading) => void,
): Promise<void> {
  const head = await OutputHead.open(model);
  const reader = HiddenReader.open(model, context, model.adaptersOf(pieces, "plain"));
  try {
    for (const [i, { id, tokens, continuation }] of prompts.entries()) {
      const positions = continuation.map((_, token) => tokens.length - 1 + token);
      const reading = reader.read([...tokens, ...continuation.slice(0, -1)], positions, (read) => {
        if (i === 0) assertOwnHead(model, head, read);
        return readingOf(model, head, { id, continuation }, read);
      });
      onReading(reading);
      // This thread turns once, so that the reading leaves the process.
      await setImmediate();
    }
  } finally {
    reader.close();
    head.close();
  }
}

function readingOf(
  { layerCount, embeddingLength }: DirectModel,
  head: OutputHead,
  { id, continuation }: { readonly id: string; readonly continuation: readonly number[] },
  { states }: NativeStates,
): LensReading {
  const tokens = continuation.length;
  const truth = new Float64Array(layerCount * tokens);
  const highest = new Float64Array(layerCount * tokens);
  const afterEmbedding = BigInt(tokens * embeddingLength * Float32Array.BYTES_PER_ELEMENT);
  head.read(states.address + afterEmbedding, layerCount * tokens, (logits, row) => {
    const { probability, best } = probabilities(logits, at(continuation, row % tokens));
    truth[row] = probability;
    highest[row] = best;
  });
  return { id, layers: layerCount, tokens, truth, highest };
}

function assertOwnHead(
  { layerCount, embeddingLength }: DirectModel,
  head: OutputHead,
  { states, logits }: NativeStates,
): void {
  const last = BigInt(layerCount * logits.length * embeddingLength * Float32Array.BYTES_PER_ELEMENT);
  const wrong: number[] = [];
  head.read(states.address + last, logits.length, (row, i) => {
    if (!equalBits(row, logits[i])) wrong.push(i);
  });
  if (wrong.length > 0) {
    throw new Error(
      "the model's output head, given the last layer's hidden state, does not give the model's own logits: the adapter changes the head, or the model scales what it takes in",
    );
  }
}

/** Probability of a token, and of the most probable one. */
function probabilities(logits: Float32Array, token: number): { probability: number; best: number } {
  let highest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > highest) highest = logit;
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - highest);
  return { probability: Math.exp(at(logits, token) - highest) / total, best: 1 / total };
}
