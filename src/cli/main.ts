#!/usr/bin/env node
import { nameSettingsAsFlags } from "../errors.js";
import { followBrokenOutput } from "./output.js";
import { endingOf, runCommand } from "./program.js";
import { followSignals } from "./signals.js";

nameSettingsAsFlags();
const interruption = new AbortController();
const args = process.argv.slice(2);
const interruptedExitCode = followSignals(endingOf(args[0]) ?? "dies", interruption);
followBrokenOutput();
const code = await runCommand(args, interruption.signal, interruptedExitCode);
if (code !== undefined) process.exitCode = code;
