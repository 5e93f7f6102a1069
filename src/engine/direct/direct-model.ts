import type { ScaledPiece } from "../../adapter/pieces.js";
import type { ContextShape } from "../layer-passes.js";
import { DirectContext, type LoadedAdapter } from "./direct-context.js";
import type { TensorObserver } from "./graph-watch.js";
import type { LlamaLibrary } from "./llama-library.js";
import type { Pointer } from "./native-array.js";
import { rowAttention } from "./row-attention.js";

/** Where a model is computed. */
export interface ModelPlacement {
  readonly threads: number;
  readonly gpuLayers: number;
}

/** More layers than a model has: llama.cpp takes those that are there. */
const ALL_LAYERS = 999;

/** A model that llama.cpp holds for boundary alone, with the adapters that were asked for so far. */
export class DirectModel {
  private readonly adapters = new Map<string, Pointer>();

  private constructor(
    readonly library: LlamaLibrary,
    private readonly model: Pointer,
    readonly threads: number,
    readonly path: string,
    readonly gpuLayers: number,
  ) {
    this.vocab = library.vocabOf(model);
    this.vocabulary = library.vocabularySize(this.vocab);
    this.layerCount = library.layerCount(model);
    this.embeddingLength = library.embeddingLength(model);
  }

  private readonly vocab: Pointer;
  /** Entries of the vocabulary. */
  readonly vocabulary: number;
  readonly layerCount: number;
  /** Length of a hidden state. */
  readonly embeddingLength: number;

  /**
   * Loads a model.
   * @param options.gpuLayers layers on the GPU, from the last one down; one more than the model has takes the output head too.
   * @throws Error when llama.cpp refuses it (its log says why) or ggml's tensors are not as expected.
   */
  static load(library: LlamaLibrary, path: string, { threads, gpuLayers }: ModelPlacement): DirectModel {
    rowAttention(library, threads);
    const model = library.loadModel(path, { ...library.modelDefaults(), n_gpu_layers: gpuLayers });
    if (model === null) throw new Error(`llama.cpp cannot load the model ${path}`);
    return new DirectModel(library, model, threads, path, gpuLayers);
  }

  /** A part of this model as a model of its own: on the GPU, all of it, where this one has layers there. */
  loadPart(path: string): DirectModel {
    const gpuLayers = this.gpuLayers > 0 ? ALL_LAYERS : 0;
    return DirectModel.load(this.library, path, { threads: this.threads, gpuLayers });
  }

  /** A context without adapters. @param tap see {@link DirectContext}. */
  openContext(shape: ContextShape, tap?: TensorObserver): DirectContext {
    const { library, model, vocabulary, threads } = this;
    return new DirectContext({ library, model, vocabulary, threads, onGpu: this.gpuLayers > 0 }, shape, tap);
  }

  /**
   * The adapters of a mask: as they are, or padded so that the rows of a batch do not depend on each other. On a GPU they do in either
   * form, and both are the plain one.
   */
  adaptersOf(pieces: readonly ScaledPiece[], form: "plain" | "padded"): LoadedAdapter[] {
    const padded = form === "padded" && this.gpuLayers === 0;
    return pieces.map(({ path, paddedPath, scale }) => {
      return { address: this.adapter(padded ? (paddedPath ?? path) : path), scale };
    });
  }

  /** A token as the model's file writes it. */
  tokenText(token: number): string {
    return this.library.tokenText(this.vocab, token);
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
