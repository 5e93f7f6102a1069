import { LlamaGrammarEvaluationState, type LlamaGrammar, type LlamaModel } from "node-llama-cpp";

/** Grammars kept for the next request with the same schema. */
const KEPT_GRAMMARS = 16;
/** node-llama-cpp ends its JSON grammars in line breaks, for callers that stop at them; ours end at the end-of-generation token. */
const LINE_BREAKS = String.raw` "\n\n\n\n" [\n]*`;

/** Grammars of JSON schemas, the last few of them kept. */
export class Grammars {
  private readonly known = new Map<string, LlamaGrammar>();

  constructor(private readonly model: LlamaModel) {}

  /** A fresh state of a schema's grammar. @throws Error where no grammar can be made of the schema. */
  async stateFor(schema: object): Promise<LlamaGrammarEvaluationState> {
    const key = JSON.stringify(schema);
    const grammar = this.known.get(key) ?? (await this.make(schema));
    this.known.delete(key);
    this.known.set(key, grammar);
    const [oldest] = this.known.keys();
    if (this.known.size > KEPT_GRAMMARS && oldest !== undefined) this.known.delete(oldest);
    return new LlamaGrammarEvaluationState({ model: this.model, grammar });
  }

  private async make(schema: object): Promise<LlamaGrammar> {
    // The caller has checked that the schema keeps to the subset.
    const { grammar } = await this.model.llama.createGrammarForJsonSchema(schema as { readonly type: "object" });
    return this.model.llama.createGrammar({ grammar: grammar.replace(LINE_BREAKS, "") });
  }
}
