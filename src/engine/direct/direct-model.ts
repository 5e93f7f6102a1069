import type { ScaledPiece } from "../../adapter/pieces.js";
import type { ContextShape } from "../layer-passes.js";
import { DirectContext, type LoadedAdapter } from "./direct-context.js";
import type { TensorObserver } from "./graph-watch.js";
import type { LlamaLibrary } from "./llama-library.js";
import type { Pointer } from "./native-array.js";
import { rowAttention } from "./row-attention.js";

/** A model that llama.cpp holds for boundary alone, with the adapters that were asked for so far. */
export class DirectModel {
  private readonly adapters = new Map<string, Pointer>();

  private constructor(
    readonly library: LlamaLibrary,
    private readonly model: Pointer,
    readonly threads: number,
    readonly path: string,
  ) {
    this.vocabulary = library.vocabularySize(library.vocabOf(model));
    this.layerCount = library.layerCount(model);
    this.embeddingLength = library.embeddingLength(model);
  }

  /** Entries of the vocabulary. */
  readonly vocabulary: number;
  readonly layerCount: number;
  /** Length of a hidden state. */
  readonly embeddingLength: number;

  /** Loads a model on the CPU. @throws Error when llama.cpp refuses it (its log says why) or ggml's tensors are not as expected. */
  static load(library: LlamaLibrary, path: string, threads: number): DirectModel {
    rowAttention(library, threads);
    const model = library.loadModel(path, { ...library.modelDefaults(), n_gpu_layers: 0 });
    if (model === null) throw new Error(`llama.cpp cannot load the model ${path}`);
    return new DirectModel(library, model, threads, path);
  }

  /** A context without adapters. @param tap see {@link DirectContext}. */
  openContext(shape: ContextShape, tap?: TensorObserver): DirectContext {
    return new DirectContext(this.library, this.model, this.vocabulary, this.threads, shape, tap);
  }

  /** The adapters of a mask: as they are, or padded so that the rows of a batch do not depend on each other. */
  adaptersOf(pieces: readonly ScaledPiece[], form: "plain" | "padded"): LoadedAdapter[] {
    return pieces.map(({ path, paddedPath, scale }) => {
      return { address: this.adapter(form === "padded" ? (paddedPath ?? path) : path), scale };
    });
  }

  /** Frees the model and its adapters; all contexts of it must be closed. */
  close(): void {
    this.library.freeModel(this.model);
  }

  private adapter(path: string): Pointer {
    const known = this.adapters.get(path);
    if (known !== undefined) return known;
    const adapter = this.library.loadAdapter(this.model, path);
    if (adapter === null) throw new Error(`llama.cpp cannot load the adapter ${path}`);
    this.adapters.set(path, adapter);
    return adapter;
  }
}
