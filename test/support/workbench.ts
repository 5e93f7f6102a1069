import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const beside = fileURLToPath(new URL("../../../shared/workbench", import.meta.url));

/** Absolute path of the workbench (real model, data and reference scores) beside the project, or undefined where there is none. */
export const workbench: string | undefined = existsSync(beside) ? beside : undefined;
