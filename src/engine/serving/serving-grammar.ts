import { LlamaVocabularyType, type LlamaModel } from "node-llama-cpp";
import { jsonGrammar, type GrammarSchema } from "../grammar/json-grammar.js";
import { DEAD, GrammarBudget, GrammarStates } from "../grammar/states.js";
import { TokenBytes } from "../grammar/token-bytes.js";

/** Grammars kept for the next request with the same schema. */
const KEPT_GRAMMARS = 4;
/** States of a grammar for which it is kept which tokens they refuse: an answer comes back to those within a text or between items. */
const KEPT_STATES = 8;
/** The space of SentencePiece vocabularies. */
const VISIBLE_SPACE = "\u2581";
/** The space of byte-level vocabularies. */
const BYTE_SPACE = "\u0120";

/** Where one answer stands in its grammar. */
export interface GrammarProgress {
  /** Whether the answer may go on with a token. @throws GrammarError when finding out takes too much work. */
  takes(token: number): boolean;
  /** 1 for each token that the answer may not go on with. [vocabulary] @throws GrammarError. */
  refused(): Uint8Array;
  /** Goes on with a token that it takes. */
  advance(token: number): void;
}

/**
 * Grammars of JSON schemas, the last few of them kept. They are evaluated here rather than by llama.cpp, whose sampler cannot be
 * interrupted and takes exponential time over ambiguous grammars: here each token has a bound on its work.
 */
export class Grammars {
  private readonly known = new Map<string, KnownGrammar>();
  private vocabulary: GrammarVocabulary | undefined;

  constructor(
    private readonly model: LlamaModel,
    /** A token as the model's file writes it. */
    private readonly fileText: (token: number) => string,
  ) {}

  /** Reads the vocabulary now, which takes half a second for 150,000 tokens, rather than while others wait. */
  prepare(): void {
    this.vocabulary ??= vocabularyOf(this.model, this.fileText);
  }

  /** The beginning of an answer that satisfies a schema. @throws GrammarError where no grammar can be made of the schema. */
  begin(schema: GrammarSchema): GrammarProgress {
    const key = JSON.stringify(schema);
    const kept = this.known.get(key);
    const grammar = kept && !kept.states.isWorn ? kept : newGrammar(schema);
    this.known.delete(key);
    this.known.set(key, grammar);
    const [oldest] = this.known.keys();
    if (this.known.size > KEPT_GRAMMARS && oldest !== undefined) this.known.delete(oldest);
    this.vocabulary ??= vocabularyOf(this.model, this.fileText);
    return new Progress(grammar, this.vocabulary);
  }
}

interface KnownGrammar {
  readonly states: GrammarStates;
  /** By state, as {@link GrammarProgress.refused}; the one that was made longest ago comes first. */
  readonly refused: Map<number, Uint8Array>;
}

function newGrammar(schema: GrammarSchema): KnownGrammar {
  return { states: new GrammarStates(jsonGrammar(schema)), refused: new Map() };
}

/** What a grammar must know of a model's tokens. */
interface GrammarVocabulary {
  readonly texts: TokenBytes;
  /** Tokens that end an answer. */
  readonly ends: ReadonlySet<number>;
}

class Progress implements GrammarProgress {
  private readonly budget = new GrammarBudget();
  private state: number;

  constructor(
    private readonly grammar: KnownGrammar,
    private readonly vocabulary: GrammarVocabulary,
  ) {
    this.state = grammar.states.start;
  }

  takes(token: number): boolean {
    const { states } = this.grammar;
    if (this.vocabulary.ends.has(token)) return states.accepts(this.state);
    return this.after(token) !== DEAD;
  }

  refused(): Uint8Array {
    const { states, refused: kept } = this.grammar;
    const known = kept.get(this.state);
    if (known) return known;
    states.chargeTo(this.budget);
    const refused = this.vocabulary.texts.refused(states, this.state);
    if (states.accepts(this.state)) for (const token of this.vocabulary.ends) refused[token] = 0;
    kept.set(this.state, refused);
    const [oldest] = kept.keys();
    if (kept.size > KEPT_STATES && oldest !== undefined) kept.delete(oldest);
    return refused;
  }

  advance(token: number): void {
    this.budget.nextToken();
    if (!this.vocabulary.ends.has(token)) this.state = this.after(token);
  }

  private after(token: number): number {
    const { states } = this.grammar;
    states.chargeTo(this.budget);
    return this.vocabulary.texts.after(states, this.state, token);
  }
}

type Token = ReturnType<LlamaModel["tokenize"]>[number];

/** Tokens that control, mark what is unknown or are not in use stand for no text: an answer's text does not show them. */
function vocabularyOf(model: LlamaModel, fileText: (token: number) => string): GrammarVocabulary {
  const ids = [...model.iterateAllTokens()];
  const ends = new Set<number>(ids.filter((token) => model.isEogToken(token)));
  const written = writtenForm(model, ids, fileText);
  const texts = ids.map((token) => {
    const kind = model.getTokenAttributes(token);
    if (ends.has(token) || kind.control || kind.unknown || kind.unused) return new Uint8Array();
    const text = fileText(token);
    if (kind.userDefined) return Buffer.from(text);
    const byte = kind.byte ? /^<0x([0-9A-F]{2})>$/i.exec(text)?.[1] : undefined;
    return byte === undefined ? written(text, token) : Uint8Array.of(parseInt(byte, 16));
  });
  return { texts: new TokenBytes(texts), ends };
}

/** How a vocabulary's tokens are written in its file. Source: llama_vocab::impl::token_to_piece. */
function writtenForm(
  model: LlamaModel,
  ids: readonly Token[],
  fileText: (token: number) => string,
): (text: string, token: Token) => Uint8Array {
  const spaced = (text: string): Uint8Array => Buffer.from(text.replaceAll(VISIBLE_SPACE, " "));
  switch (model.vocabularyType) {
    case LlamaVocabularyType.spm:
    case LlamaVocabularyType.wpm:
    case LlamaVocabularyType.ugm:
      return spaced;
    case LlamaVocabularyType.bpe: {
      const isOfBytes = ids.some((token) => fileText(token).startsWith(BYTE_SPACE));
      return isOfBytes ? fromByteCharacters : spaced;
    }
    case LlamaVocabularyType.rwkv:
    case LlamaVocabularyType.plamo2:
    case LlamaVocabularyType.none:
      return (_text, token) => Buffer.from(model.detokenize([token]));
  }
}

/** The characters by which byte-level vocabularies write bytes: printable Latin-1 is itself, the others follow from U+0100 on. Source: GPT-2. */
const byteCharacters = new Map<string, number>();
for (let byte = 0, others = 0; byte < 256; byte++) {
  const isItself = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  byteCharacters.set(String.fromCodePoint(isItself ? byte : 0x100 + others++), byte);
}

function fromByteCharacters(text: string): Uint8Array {
  return Buffer.concat(
    Array.from(text, (one) => {
      const byte = byteCharacters.get(one);
      return byte === undefined ? Buffer.from(one) : Uint8Array.of(byte);
    }),
  );
}
