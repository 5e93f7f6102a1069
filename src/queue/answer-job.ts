import type { Piece } from "../adapter/pieces.js";
import { isBatchInvariant, type Engine, type Generation, type Prompt } from "../engine/engine.js";
import { EngineCrashError, EngineError, QueueError } from "../errors.js";
import { scaledPieces } from "./adapter-cache.js";
import type { AnswersJob, JobSettings, Row } from "./messages.js";

/** What a job's hashes stand for on this machine. */
export interface JobContent {
  readonly pieces: readonly Piece[];
  /** Token ids by the hash of their text. */
  readonly tokens: ReadonlyMap<string, readonly number[]>;
}

/**
 * Answers what a job asks, wave by wave.
 * @param onRow called for each answer as it ends.
 * @throws whatever the engine throws; QueueError for a job that names what it does not list.
 */
export async function answerJob(
  engine: Engine,
  job: AnswersJob,
  content: JobContent,
  onRow: (row: Row) => void,
): Promise<void> {
  // What a prompt was answered under the mask before: that is likely to be said again.
  const drafts = new Map<string, readonly number[]>();
  for (const wave of job.waves) {
    const settings = job.settings[wave.settings];
    if (!settings) throw new QueueError({ what: "a job names settings that it does not list" });
    if (wave.asks.length !== 1 && wave.asks.length !== wave.prompts.length) {
      throw new QueueError({
        what: "a job does not say where its answers belong",
        actual: `${wave.asks.length} asks for ${wave.prompts.length} prompts`,
        expected: "one for all, or one for each",
      });
    }
    const places = new Map(wave.prompts.map(({ id }, place) => [id, place]));
    const take = (boundary: number, generation: Generation): void => {
      const place = places.get(generation.id);
      // An answer to what was not asked belongs nowhere; the run asks again for what it lacks.
      if (place === undefined) return;
      const ask = wave.asks.length === 1 ? wave.asks[0] : wave.asks[place];
      const prompt = wave.prompts[place];
      if (ask === undefined || !prompt) return;
      drafts.set(prompt.tokens, generation.tokens);
      onRow({ ask, boundary, generation });
    };
    const prompts = wave.prompts.map(({ id, tokens }): Prompt => {
      const known = content.tokens.get(tokens);
      if (!known) throw new QueueError({ what: "a job names a prompt that was not fetched", actual: id });
      const draft = isBatchInvariant(settings) && settings.full === undefined ? drafts.get(tokens) : undefined;
      return { id, tokens: known, ...(draft ? { drafts: [draft] } : {}) };
    });
    await answerWave(engine, settings, content.pieces, prompts, take);
  }
}

async function answerWave(
  engine: Engine,
  settings: JobSettings,
  pieces: readonly Piece[],
  prompts: readonly Prompt[],
  take: (boundary: number, generation: Generation) => void,
): Promise<void> {
  const { context, maxTokens, stop, invariantTokens } = settings;
  const request = { context, maxTokens, stop, prompts, ...(invariantTokens === undefined ? {} : { invariantTokens }) };
  if (settings.full !== undefined) {
    const boundaries = settings.masks.map((mask) => ({
      boundary: mask.boundary,
      pieces: scaledPieces(mask.pieces, pieces),
    }));
    try {
      await engine.generateShared(
        { ...request, full: scaledPieces(settings.full, pieces), boundaries },
        ({ boundary, generation }) => {
          take(boundary, generation);
        },
      );
      return;
    } catch (error) {
      // Mostly memory for the layers a second time: one by one the boundaries give the same answers where company does not count.
      const canGoOn =
        error instanceof EngineError && !(error instanceof EngineCrashError) && isBatchInvariant(settings);
      if (!canGoOn) throw error;
    }
  }
  for (const mask of settings.masks) {
    await engine.generate({ ...request, pieces: scaledPieces(mask.pieces, pieces) }, (generation) => {
      take(mask.boundary, generation);
    });
  }
}
