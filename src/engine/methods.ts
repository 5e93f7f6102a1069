import type { Engine } from "./engine.js";
import type { LayerReader } from "./layer-reader.js";

/** A method as it goes between processes: what it is asked, what it tells meanwhile, what comes of it. */
type CallOf<F> = F extends (...given: infer G) => Promise<infer R>
  ? {
      readonly params: G extends readonly [] ? null : G[0];
      readonly event: G extends readonly [unknown, ((event: infer E) => void)?] ? E : never;
      readonly result: R;
    }
  : never;

type AnswerMethod = Exclude<
  { [M in keyof Engine]-?: Engine[M] extends (...given: never[]) => Promise<unknown> ? M : never }[keyof Engine],
  "close"
>;

/** The calls that an engine's own interfaces describe: every method of {@link Engine} and {@link LayerReader} goes to its process as it is. */
export type EngineCalls = { [M in AnswerMethod]: CallOf<Engine[M]> } & {
  [M in keyof LayerReader]: CallOf<LayerReader[M]>;
};

/** What a message says an engine was doing when a call failed. */
type Doing<M extends keyof EngineCalls> = (request: EngineCalls[M]["params"]) => string;

const piecesOf = ({ pieces }: { readonly pieces: readonly unknown[] }): string =>
  `with ${pieces.length} adapter pieces`;
const samplesOf = ({ prompts }: { readonly prompts: readonly { readonly id: string }[] }): string =>
  `for the samples ${prompts.map(({ id }) => id).join(", ")}`;

/** Methods that answer. */
export const answerMethods: { readonly [M in AnswerMethod]: Doing<M> } = {
  tokenize: () => "tokenising the prompts",
  generate: (request) => `generating ${piecesOf(request)} ${samplesOf(request)}`,
  generateShared: (request) => `generating under ${request.boundaries.length} boundaries ${samplesOf(request)}`,
  shortcuts: () => "trying out what can be computed at once",
  work: () => "reading what was computed",
  nextTokenLogits: (request) => `computing logits ${piecesOf(request)}`,
  logLikelihoods: (request) => `weighing references ${piecesOf(request)} ${samplesOf(request)}`,
  logLikelihoodsShared: (request) =>
    `weighing references under ${request.boundaries.length} boundaries ${samplesOf(request)}`,
  peakMemory: () => "reading the memory in use",
};

/** Methods that read layers. */
export const layerMethods: { readonly [M in keyof LayerReader]: Doing<M> } = {
  hiddenStates: (request) => `reading hidden states ${piecesOf(request)}`,
  lens: (request) => `reading what each layer would say ${piecesOf(request)}`,
  moduleEnergies: (request) => `reading what goes through the modules ${piecesOf(request)}`,
  inputMoments: ({ layer }) => `reading what goes into the modules of layer ${layer}`,
  layerTimes: (request) => `timing the layers ${piecesOf(request)}`,
};
