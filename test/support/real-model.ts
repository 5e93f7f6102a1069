import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { workbench } from "./workbench.js";

/** Ends a test title that needs the workbench: says why it was skipped where there is none. */
export const workbenchTitle = workbench === undefined ? "(skipped: needs the workbench beside the project)" : "";

/** Path of the workbench's real model; fetched once by its own recipe. @throws Error when that fails. */
export function realModel(): string {
  const model = join(tmpdir(), "boundary-workbench", "base.gguf");
  const { status, stderr } = spawnSync("bash", [join(workbench ?? "", "get-model.sh"), model], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the real model cannot be fetched: ${stderr}`);
  return model;
}
