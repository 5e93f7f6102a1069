import type { Generation, Prompt } from "../engine/engine.js";
import { digest } from "../files/digest.js";
import type { NamedText } from "./content-store.js";
import type { JobPiece, JobSettings } from "./messages.js";

/** Decoding a token costs about so many times what reading one does, when several sequences share a step. */
const DECODE_WEIGHT = 3;

/** A piece of the adapter at the scale of a mask. */
export interface RequestedPiece {
  readonly piece: JobPiece;
  readonly scale: number;
}

/** Masks and generation settings, told without any machine's paths. */
export interface AnswerSettings extends Pick<JobSettings, "context" | "maxTokens" | "stop" | "invariantTokens"> {
  /** Hash of all that decides the answers besides the prompts. */
  readonly key: string;
  readonly masks: readonly { readonly boundary: number; readonly pieces: readonly RequestedPiece[] }[];
  /** The full adapter, where the masks are boundaries that share layers. */
  readonly full: readonly RequestedPiece[] | undefined;
  /** Passes through the whole model that a prompt takes. */
  readonly passes: number;
}

/** A prompt with the hash of its tokens' text. */
export interface RequestedPrompt extends Pick<Prompt, "id" | "tokens"> {
  readonly sha256: string;
}

/** What a job names by that hash. */
export function tokensText({ sha256, tokens }: Omit<RequestedPrompt, "id">): NamedText {
  return { sha256, text: () => JSON.stringify(tokens) };
}

/** Prompts that are to be answered under all masks of some settings. Where company counts they stay together, in one call of the engine. */
export class AnswerRequest {
  readonly key: string;
  /** How often it was handed out without coming back whole. */
  tries = 0;
  private answered: Set<string> | undefined;
  private readonly ended: Promise<void>;
  private resolve: () => void = () => undefined;
  private reject: (error: unknown) => void = () => undefined;

  constructor(
    readonly settings: AnswerSettings,
    readonly prompts: readonly RequestedPrompt[],
    private readonly onGeneration: (boundary: number, generation: Generation) => void,
  ) {
    this.key = digest(JSON.stringify([settings.key, prompts.map(({ id, sha256 }) => [id, sha256])])).slice(0, 32);
    this.ended = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.ended.catch(() => undefined);
  }

  /** Ends when every prompt is answered under every mask. */
  whenEnded(): Promise<void> {
    return this.ended;
  }

  get isEnded(): boolean {
    return this.answered !== undefined && this.answered.size === this.prompts.length * this.settings.masks.length;
  }

  /** Why an answer cannot be one to this; undefined where it can. @param vocabulary tokens that the model has. */
  refusal(boundary: number, { id, tokens, promptTokens }: Generation, vocabulary: number): string | undefined {
    const prompt = this.prompts.find((one) => one.id === id);
    if (!prompt) return "it answers a prompt that was not asked";
    if (!this.settings.masks.some((mask) => mask.boundary === boundary)) return `K=${boundary} was not asked for`;
    if (promptTokens !== prompt.tokens.length)
      return `its prompt has ${promptTokens} tokens instead of ${prompt.tokens.length}`;
    const { maxTokens } = this.settings;
    if (tokens.length > maxTokens) return `it has ${tokens.length} tokens, and at most ${maxTokens} were asked for`;
    const beyond = tokens.find((token) => token >= vocabulary);
    return beyond === undefined ? undefined : `its token ${beyond} is beyond the model's ${vocabulary}`;
  }

  /** Takes an answer, unless it was given before. @returns whether it was asked for. */
  take(boundary: number, generation: Generation): boolean {
    const isAsked =
      this.settings.masks.some((mask) => mask.boundary === boundary) &&
      this.prompts.some(({ id }) => id === generation.id);
    if (!isAsked) return false;
    this.answered ??= new Set();
    const key = `${boundary}\0${generation.id}`;
    if (this.answered.has(key)) return true;
    this.answered.add(key);
    this.onGeneration(boundary, generation);
    if (this.isEnded) this.resolve();
    return true;
  }

  fail(error: unknown): void {
    this.reject(error);
  }

  /** Tokens through the whole model that it costs, about. @param answerTokens mean length of an answer. */
  cost(answerTokens: number): number {
    const { passes, masks } = this.settings;
    const promptTokens = this.prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
    return passes * promptTokens + this.prompts.length * masks.length * answerTokens * DECODE_WEIGHT;
  }
}

/** @param layerCount L. */
export function answerSettings(settings: Omit<AnswerSettings, "key" | "passes">, layerCount: number): AnswerSettings {
  const { masks, full, context, maxTokens, stop, invariantTokens } = settings;
  const named = (pieces: readonly RequestedPiece[]): unknown => pieces.map(({ piece, scale }) => [piece.sha256, scale]);
  const key = digest(
    JSON.stringify([
      masks.map(({ boundary, pieces }) => [boundary, named(pieces)]),
      full === undefined ? null : named(full),
      Object.entries(context).sort(),
      [maxTokens, stop, invariantTokens ?? null],
    ]),
  );
  return { ...settings, key, passes: passesOf(masks, full !== undefined, layerCount) };
}

function passesOf(masks: AnswerSettings["masks"], isShared: boolean, layerCount: number): number {
  if (!isShared) return masks.length;
  const own = masks.map(({ boundary }) => (boundary === 0 ? 1 : (layerCount - boundary) / layerCount));
  return own.reduce((sum, passes) => sum + passes, 1);
}
