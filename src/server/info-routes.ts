import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { EngineInfo } from "../engine/engine.js";
import type { RunSample } from "../run/load-run.js";
import { version } from "../version.js";
import type { Answers } from "./answers.js";
import { ApiError } from "./api-error.js";
import { offeredModel } from "./models.js";
import type { ServedModel, OfferedModel } from "./served-model.js";
import { openApi } from "./openapi.js";
import { parseBody } from "./requests.js";

/** What the endpoints that tell about the server need. */
export interface InfoRouteParts {
  readonly served: ServedModel;
  readonly answers: Answers;
  readonly engine: EngineInfo;
  readonly exact: boolean;
  /** Whether /v1/chat/completions works: the model has a chat template. */
  readonly chat: boolean;
  readonly isDraining: () => boolean;
}

const samplesQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(20),
  offset: z.coerce.number().int().min(0).default(0),
  filter: z.string().max(200).default(""),
});

/** GET /health, /metrics, /openapi.json, /v1/models, /v1/boundary/info and /v1/boundary/samples. */
export function infoRoutes(app: FastifyInstance, parts: InfoRouteParts): void {
  const { served, answers } = parts;
  const created = Math.floor(Date.now() / 1000);
  app.get("/health", { config: { open: true } }, async (_request, reply) => {
    const draining = parts.isDraining();
    return reply.code(draining ? 503 : 200).send({ status: draining ? "draining" : "ok" });
  });
  app.get("/metrics", async (_request, reply) => {
    const { registry } = answers.metrics;
    return reply.header("content-type", registry.contentType).send(await registry.metrics());
  });
  app.get("/openapi.json", { config: { open: true } }, () => openApi());
  app.get("/v1/models", () => ({ object: "list", data: served.models.map((model) => asModel(model, created)) }));
  app.get<{ Params: { id: string } }>("/v1/models/:id", ({ params }) => {
    return asModel(offeredModel(served, params.id), created);
  });
  app.get("/v1/boundary/info", () => info(parts));
  app.get("/v1/boundary/samples", ({ query }) => {
    const { limit, offset, filter } = parseBody(samplesQuery, query);
    if (!served.run) {
      const message = "There are no samples: this server was not started from a sweep.";
      throw new ApiError({ status: 404, message, code: "no_run" });
    }
    const samples = samplesWith(served.run.samples, filter);
    const data = samples.slice(offset, offset + limit).map(({ part, sample, prompt }) => {
      return { part, id: sample.id, variables: sample.variables, references: sample.references, prompt };
    });
    return { object: "list", total: samples.length, data };
  });
}

/** Samples that hold every word of the filter in id, variables or references, in any case. */
function samplesWith(samples: readonly RunSample[], filter: string): readonly RunSample[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return samples;
  return samples.filter(({ sample: { id, variables, references } }) => {
    const values = Object.values(variables).map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
    const text = [id, ...values, ...references].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

function asModel({ id, boundary }: OfferedModel, created: number): object {
  return { id, object: "model", created, owned_by: "boundary", boundary };
}

function info({ served, answers, engine, exact, chat }: InfoRouteParts): object {
  const { limits, load } = answers;
  return {
    version,
    layers: served.model.layerCount,
    boundaries: { least: 0, most: served.model.layerCount },
    coverage: served.adapter.coverage,
    models: served.models,
    chat,
    exact,
    limits: { ...limits },
    load,
    engine: {
      backend: engine.backend,
      devices: engine.devices,
      threads: engine.threads,
      llamaCpp: engine.llamaCpp,
    },
    run: served.run ? runInfo(served.run) : null,
  };
}

/** The curve of a sweep: its primary metric at every boundary tried, 0-100, with 95 % intervals. */
function runInfo({ result, samples }: NonNullable<ServedModel["run"]>): object {
  const { metric, choice, verdict, candidates, generation } = result;
  const pointsOf = (part: "selection" | "holdout"): object[] =>
    candidates.flatMap(({ boundary, boundaries, bytes, [part]: scored }) => {
      const score = scored?.scores[metric];
      if (!score) return [];
      return [{ boundary, boundaries, bytes, value: score.value, low: score.low, high: score.high, samples: score.n }];
    });
  return {
    metric,
    chosen: choice.boundary,
    rule: choice.rule,
    verdict: verdict.sentences,
    points: pointsOf("selection"),
    holdout: pointsOf("holdout"),
    samples: samples.length,
    // What a prompt of /v1/boundary/samples must be sent with to /v1/completions for the answer that the sweep recorded.
    generation: { maxTokens: generation.maxTokens, stop: generation.stop },
  };
}
