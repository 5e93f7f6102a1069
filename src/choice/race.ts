import { defined } from "../assert.js";
import { paperBoundary } from "./rules.js";
import { RaceTrack, type Racer, type RaceSettings } from "./race-track.js";

/** Samples that some candidates are to answer next. */
export interface RaceCall {
  /** Places of the candidates, ascending. */
  readonly candidates: readonly number[];
  /** Number of the block, from 0. */
  readonly block: number;
}

/**
 * Who has to answer what next, so that the rule in force can still make its choice; undefined when those who are left have answered every
 * sample. Candidates that can no longer be chosen are dropped on the way: see {@link nextOfLeaders}, {@link nextOfDescent}, {@link nextOfPaper}.
 */
export function nextCall(track: RaceTrack): RaceCall | undefined {
  switch (track.settings.rule) {
    case "best":
    case "one-se":
      return nextOfLeaders(track);
    case "no-worse":
      return nextOfDescent(track);
    case "paper":
      return nextOfPaper(track);
  }
}

/** A race about to start. @param racers by ascending K, the full adapter last. */
export function startRace(racers: readonly Racer[], settings: RaceSettings): RaceTrack {
  return new RaceTrack(racers, settings);
}

/**
 * `best` and `one-se`: all that are left answer block by block, and who cannot win any more leaves (Maron and Moore, Hoeffding Races, 1994, with
 * paired differences). `best`: whose predicted difference to the leader stays below 0. `one-se`: who stays below one standard error under
 * the leader, and who is neither the best nor smaller than a K that surely comes within one. Only a candidate that surely
 * keeps the floors can lead.
 */
function nextOfLeaders(track: RaceTrack): RaceCall | undefined {
  const block = Math.min(...track.alive.map((at) => track.blocks(at)));
  if (block === track.settings.blocks.length) return undefined;
  if (block > 0) {
    dropBelowFloors(track);
    if (track.settings.rule === "best") dropBehind(track, () => 0);
    else dropOutsideOneError(track);
  }
  const candidates = track.alive.filter((at) => track.blocks(at) === block);
  return candidates.length > 0 ? { candidates, block } : nextOfLeaders(track);
}

function dropBelowFloors(track: RaceTrack, places: readonly number[] = track.alive): void {
  for (const { metric, points } of track.settings.floors) {
    for (const at of places) {
      if (at === track.full || track.blocks(at) === 0) continue;
      const { high } = track.outlook(at, track.full, metric);
      if (high < points) track.drop(at, "floor", track.full, { reach: high, limit: points });
    }
  }
}

/** Drops who stays further below the leader than the limit, a number from 0 down. */
function dropBehind(track: RaceTrack, limitOf: (at: number, leader: number) => number): void {
  const leader = leaderOf(track);
  for (const at of track.alive) {
    if (at === leader) continue;
    const { high } = track.outlook(at, leader, track.settings.metric);
    const limit = limitOf(at, leader);
    if (high < limit) track.drop(at, "behind", leader, { reach: high, limit });
  }
}

function dropOutsideOneError(track: RaceTrack): void {
  const { metric } = track.settings;
  dropBehind(track, (at, leader) => -track.error(at, leader, metric));
  const rivals = track.alive;
  const qualified = rivals.find((at) => {
    if (!keepsFloors(track, at)) return false;
    return rivals.every(
      (other) => other === at || track.outlook(at, other, metric).low >= -track.error(at, other, metric),
    );
  });
  if (qualified === undefined) return;
  const leader = leaderOf(track);
  for (const at of rivals) {
    if (at <= qualified || at === leader) continue;
    const { high } = track.outlook(at, leader, metric);
    if (high < 0) track.drop(at, "behind", leader, { reach: high, limit: 0 });
  }
}

function leaderOf(track: RaceTrack): number {
  const able = track.alive.filter((at) => keepsFloors(track, at));
  const { metric } = track.settings;
  return able.reduce(
    (best, at) => (track.outlook(at, best, metric).estimate > 1e-9 ? at : best),
    able[0] ?? track.full,
  );
}

function keepsFloors(track: RaceTrack, at: number): boolean {
  if (at === track.full) return true;
  return track.settings.floors.every(({ metric, points }) => track.outlook(at, track.full, metric).low >= points);
}

/**
 * `no-worse`: the rule descends from the full adapter and ends at the first K that fails, so no K is asked before all above it are known to
 * pass. A K that is as good as certain to pass answers no further; one that is taken to fail has answered every sample, as has the K that is chosen:
 * the smallest that passes, or if on all samples it does not, the next above it. So only a wrong "certain to pass" can change the choice.
 */
function nextOfDescent(track: RaceTrack): RaceCall | undefined {
  const { full } = track;
  const failed = track.racers.findLastIndex((_, at) => at < full && endOf(track, at) !== "passes");
  if (failed >= 0 && endOf(track, failed) === "open") return callWithFull(track, failed);
  for (let below = 0; below < failed; below++) track.drop(below, "below", failed);
  for (let lowest = failed + 1; lowest < full; lowest++) {
    if (!track.isFinished(lowest)) {
      dropBelowFloors(track, [lowest]);
      if (track.isDropped(lowest)) continue;
      return callWithFull(track, lowest);
    }
    if (endOf(track, lowest) !== "passes" || !keepsFloors(track, lowest)) continue;
    for (let above = lowest + 1; above < full; above++) dropAsPassing(track, above);
    break;
  }
  return track.isFinished(full) ? undefined : { candidates: [full], block: track.blocks(full) };
}

/** What is known of a candidate's comparison with full. */
function endOf(track: RaceTrack, at: number): "passes" | "fails" | "open" {
  if (track.blocks(at) === 0) return "open";
  const { low } = track.lowOutlook(at, track.full, track.settings.metric);
  if (low > -track.settings.margin) return "passes";
  return track.isFinished(at) ? "fails" : "open";
}

function dropAsPassing(track: RaceTrack, at: number): void {
  const { low } = track.lowOutlook(at, track.full, track.settings.metric);
  track.drop(at, "passes", track.full, { reach: low, limit: -track.settings.margin });
}

/** The next block of a candidate, which full answers too where it has not yet. */
function callWithFull(track: RaceTrack, at: number): RaceCall {
  const block = track.blocks(at);
  return { candidates: track.blocks(track.full) === block ? [at, track.full] : [at], block };
}

/** `paper`: K is known without a score, and only that K is asked; where a floor keeps it out, the next nearest. */
function nextOfPaper(track: RaceTrack): RaceCall | undefined {
  const { full } = track;
  const wanted = paperBoundary(track.settings.layerCount);
  const distance = (at: number): number => {
    return Math.min(...defined(track.racers[at], "a racer").boundaries.map((boundary) => Math.abs(boundary - wanted)));
  };
  const order = [...track.racers.keys()].sort((a, b) => distance(a) - distance(b) || a - b);
  for (const at of order) {
    if (!track.isFinished(at))
      return at === full ? { candidates: [at], block: track.blocks(at) } : callWithFull(track, at);
    if (keepsFloors(track, at)) {
      for (const other of track.alive) track.drop(other, "unneeded", at);
      break;
    }
  }
  return track.isFinished(full) ? undefined : { candidates: [full], block: track.blocks(full) };
}
