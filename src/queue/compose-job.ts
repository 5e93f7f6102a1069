import { isBatchInvariant } from "../engine/engine.js";
import type { AnswerRequest, RequestedPiece } from "./answer-request.js";
import type { AnswersJob, JobPiece, JobSettings } from "./messages.js";

/** A job's list of pieces, each of them once. */
export class PieceList {
  readonly pieces: JobPiece[] = [];
  private readonly places = new Map<string, number>();

  /** A mask by places in the list. */
  mask(pieces: readonly RequestedPiece[]): [number, number][] {
    return pieces.map(({ piece, scale }) => [this.placeOf(piece), scale]);
  }

  private placeOf(piece: JobPiece): number {
    const key = `${piece.sha256} ${String(piece.padded)}`;
    const known = this.places.get(key);
    if (known !== undefined) return known;
    const place = this.pieces.push(piece) - 1;
    this.places.set(key, place);
    return place;
  }
}

/**
 * Lays some asks out as the waves of a job, those of the same settings side by side.
 * @param options.shares whether boundaries may share layers where the asks say so; else each is answered by itself.
 */
export function composeJob(
  asks: readonly AnswerRequest[],
  common: Pick<AnswersJob, "run" | "adapter" | "adapterBytes" | "timeoutMs">,
  { shares }: { readonly shares: boolean },
): AnswersJob {
  const list = new PieceList();
  const settings: JobSettings[] = [];
  const waves: AnswersJob["waves"] = [];
  const bySettings = new Map<string, AnswerRequest[]>();
  for (const ask of asks) {
    const known = bySettings.get(ask.settings.key);
    if (known) known.push(ask);
    else bySettings.set(ask.settings.key, [ask]);
  }
  for (const group of bySettings.values()) {
    const [first] = group;
    if (!first) continue;
    const place = settings.push(jobSettings(first, list, shares)) - 1;
    for (const wave of wavesOf(group)) {
      waves.push({
        settings: place,
        asks: wave.map(({ key }) => key),
        prompts: wave.flatMap(({ prompts }) => prompts.map(({ id, sha256 }) => ({ id, tokens: sha256 }))),
      });
    }
  }
  return { kind: "answers", ...common, pieces: list.pieces, settings, waves };
}

function jobSettings({ settings }: AnswerRequest, list: PieceList, shares: boolean): JobSettings {
  const { masks, full, context, maxTokens, stop, invariantTokens } = settings;
  return {
    masks: masks.map(({ boundary, pieces }) => ({ boundary, pieces: list.mask(pieces) })),
    ...(full === undefined || !shares ? {} : { full: list.mask(full) }),
    context,
    maxTokens,
    stop,
    ...(invariantTokens === undefined ? {} : { invariantTokens }),
  };
}

/** Asks of the same settings in waves of as many prompts as there are sequences; ids are those of different prompts in each. */
function wavesOf(asks: readonly AnswerRequest[]): AnswerRequest[][] {
  const [first] = asks;
  if (!first || !isBatchInvariant(first.settings)) return asks.map((ask) => [ask]);
  const waves: { asks: AnswerRequest[]; ids: Set<string> }[] = [];
  for (const ask of asks) {
    const ids = ask.prompts.map(({ id }) => id);
    const last = waves.at(-1);
    const fits = last && last.ids.size + ids.length <= first.settings.context.sequences;
    if (fits && ids.every((id) => !last.ids.has(id))) {
      last.asks.push(ask);
      for (const id of ids) last.ids.add(id);
    } else waves.push({ asks: [ask], ids: new Set(ids) });
  }
  return waves.map((wave) => wave.asks);
}
