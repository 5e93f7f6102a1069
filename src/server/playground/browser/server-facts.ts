/** One boundary of the sweep's curve, 0-100, with its 95 % interval. */
export interface CurvePoint {
  readonly boundary: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** What GET /v1/boundary/info says of the sweep that is served. */
export interface RunFacts {
  readonly metric: string;
  readonly chosen: number;
  readonly verdict: readonly string[];
  readonly points: readonly CurvePoint[];
  readonly samples: number;
  readonly generation: { readonly maxTokens: number; readonly stop: readonly string[] };
}

/** What the page needs of GET /v1/boundary/info. */
export interface ServerFacts {
  readonly layers: number;
  readonly chat: boolean;
  readonly exact: boolean;
  readonly limits: { readonly maxTokens: number };
  readonly run: RunFacts | null;
}

/** A sample of the sweep as GET /v1/boundary/samples tells it. */
export interface SampleFacts {
  readonly part: string;
  readonly id: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly references: readonly string[];
  /** As the model was asked. */
  readonly prompt: string;
}

/** A page of samples; `total` counts all that fit the filter. */
export interface SamplePage {
  readonly total: number;
  readonly data: readonly SampleFacts[];
}
