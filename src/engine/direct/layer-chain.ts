import { makeTemporaryFolder } from "../../files/temporary-folder.js";
import type { ContextShape } from "../layer-passes.js";
import type { DirectContext, HiddenRows } from "./direct-context.js";
import type { DirectModel } from "./direct-model.js";
import { LayerTap } from "./layer-tap.js";
import type { LlamaLibrary } from "./llama-library.js";
import { allocate, release, type NativeArray } from "./native-array.js";
import { writeOneLayerModels } from "./one-layer-models.js";

interface Link {
  readonly model: DirectModel;
  readonly context: DirectContext;
}

/** A base model as a chain of one-layer models, so that it can be run from any layer on. It holds one sequence. */
export class LayerChain {
  private readonly buffers: readonly [NativeArray<Float32Array>, NativeArray<Float32Array>];

  private constructor(
    private readonly library: LlamaLibrary,
    private readonly links: readonly Link[],
    private readonly tap: LayerTap,
    embeddingLength: number,
    batchSize: number,
  ) {
    this.buffers = [
      allocate(library, Float32Array, embeddingLength * batchSize),
      allocate(library, Float32Array, embeddingLength * batchSize),
    ];
  }

  /**
   * Cuts the model up and loads the parts. Their files are gone when this returns: what is mapped into memory stays.
   * @throws FileError when the parts cannot be written, Error when llama.cpp refuses one.
   */
  static async load(base: DirectModel, shape: ContextShape): Promise<LayerChain> {
    const { library, embeddingLength } = base;
    const folder = await makeTemporaryFolder("layers");
    const tap = new LayerTap(library, embeddingLength);
    const links: Link[] = [];
    try {
      const paths = await writeOneLayerModels(base.path, folder.path);
      for (const [layer, path] of paths.entries()) {
        const model = base.loadPart(path);
        const isLast = layer === paths.length - 1;
        links.push({ model, context: model.openContext({ ...shape, sequences: 1 }, isLast ? undefined : tap) });
      }
      return new LayerChain(library, links, tap, embeddingLength, shape.batchSize);
    } catch (error) {
      closeAll(links);
      throw error;
    } finally {
      await folder.remove();
    }
  }

  /**
   * Runs hidden states through the layers `from` and above.
   * @param rows what layer `from` takes in; at most `batchSize` rows.
   * @param onLayer sees what each layer below the last puts out, float32 [count, embedding length], until the next layer runs.
   * @returns logits of the rows that are outputs, valid until the next call.
   */
  run(
    from: number,
    rows: HiddenRows,
    onLayer?: (layer: number, output: NativeArray<Float32Array>) => void,
  ): Float32Array[] {
    let { address } = rows;
    for (const [layer, { context }] of this.links.entries()) {
      if (layer < from) continue;
      if (layer === this.links.length - 1) return context.decodeHidden({ ...rows, address });
      const output = this.buffers[layer % 2 === 0 ? 0 : 1];
      const input = address;
      this.tap.collect(
        rows.count,
        1,
        () => output.address,
        () => context.decodeHidden({ ...rows, address: input, firstOutput: 0 }),
      );
      onLayer?.(layer, output);
      address = output.address;
    }
    throw new RangeError(`layer ${from} is not in the model`);
  }

  /** Forgets, in the layers `from` and above, what lies at a position and behind it. */
  forget(from: number, position: number): void {
    for (const { context } of this.links.slice(from)) {
      if (position === 0) context.clear();
      else context.forget(0, position);
    }
  }

  /** Keys and values of the layers `from` and above, each as a state of its own. */
  states(from: number): Buffer[] {
    return this.links.slice(from).map(({ context }) => context.state(0));
  }

  close(): void {
    closeAll(this.links);
    for (const buffer of this.buffers) release(this.library, buffer);
  }
}

function closeAll(links: readonly Link[]): void {
  for (const { context, model } of links) {
    context.close();
    model.close();
  }
}
