import type { ScaledPiece } from "../../adapter/pieces.js";
import type { ContextShape } from "../engine.js";
import { DirectContext } from "./direct-context.js";
import type { LlamaLibrary } from "./llama-library.js";
import type { Pointer } from "./native-array.js";

/** A model that llama.cpp holds for boundary alone, with the adapters that were asked for so far. */
export class DirectModel {
  private readonly adapters = new Map<string, Pointer>();

  private constructor(
    private readonly library: LlamaLibrary,
    private readonly model: Pointer,
    private readonly threads: number,
    /** Entries of the vocabulary. */
    readonly vocabulary: number,
  ) {}

  /** Loads a model on the CPU. @throws Error when llama.cpp refuses it; its log says why. */
  static load(library: LlamaLibrary, path: string, threads: number): DirectModel {
    const model = library.loadModel(path, { ...library.modelDefaults(), n_gpu_layers: 0 });
    if (model === null) throw new Error(`llama.cpp cannot load the model ${path}`);
    return new DirectModel(library, model, threads, library.vocabularySize(library.vocabOf(model)));
  }

  /** A context for one mask; close it before the next is opened, where memory counts. */
  openContext(pieces: readonly ScaledPiece[], shape: ContextShape): DirectContext {
    const adapters = pieces.map(({ path, scale }) => ({ address: this.adapter(path), scale }));
    return new DirectContext(this.library, this.model, this.vocabulary, this.threads, shape, adapters);
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
