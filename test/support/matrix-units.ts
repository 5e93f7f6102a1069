import { readFileSync } from "node:fs";

/**
 * Whether llama.cpp multiplies quantised weights in the CPU's matrix units (AMX). On matrices as small as those of the tests, its v0.5.0
 * computes wrong there from 32 tokens a batch on: NaN, or logits off by several units. Those of a real model agree to rounding.
 */
export const hasMatrixUnits = /\bamx_int8\b/.test(flagsOfCpu());
/** What the title of a test says that needs quantised weights to be multiplied rightly. */
export const skippedOnMatrixUnits = hasMatrixUnits
  ? "(skipped: llama.cpp's AMX kernels compute wrong on matrices this small)"
  : "";

function flagsOfCpu(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return "";
  }
}
