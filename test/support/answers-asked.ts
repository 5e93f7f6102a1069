import type { GenerateRequest, SharedRequest } from "../../src/engine/engine.js";
import { HostProcess } from "../../src/engine/process-engine.js";

let asked = 0;
type Call = HostProcess["call"];
const call: Call = Reflect.get(HostProcess.prototype, "call");
const watched: Call = function (this: HostProcess, method, params, about, onEvent) {
  // Nobody takes the answers that speeds and costs are measured by.
  if (method === "generate" && onEvent) asked += (params as GenerateRequest).prompts.length;
  if (method === "generateShared") {
    const { prompts, boundaries } = params as SharedRequest;
    asked += prompts.length * boundaries.length;
  }
  return call.call(this, method, params, about, onEvent);
};
HostProcess.prototype.call = watched;

/** Answers that engines of this process were asked for since this module was loaded. */
export function answersAsked(): number {
  return asked;
}
