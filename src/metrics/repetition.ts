/** Longest unit, in characters, that is looked for. */
const LONGEST_UNIT = 200;
/** How often the unit stands at the end before the answer counts as going round in circles. */
const REPEATS = 4;
/** Shorter endings are words like "no no no no", not a loop. */
const SHORTEST_LOOP = 24;

/**
 * Whether an answer ends in a loop: some unit of up to 200 characters stands at its end at least four times in a row, over at least
 * 24 characters. That is what greedy decoding does when it degenerates.
 */
export function endsInLoop(text: string): boolean {
  const tail = text.trimEnd().slice(-LONGEST_UNIT * (REPEATS + 1));
  for (let unit = 1; unit <= LONGEST_UNIT && unit * REPEATS <= tail.length; unit++) {
    let run = 0;
    while (run + unit < tail.length && tail[tail.length - 1 - run] === tail[tail.length - 1 - run - unit]) run += 1;
    if (run + unit >= Math.max(REPEATS * unit, SHORTEST_LOOP)) return true;
  }
  return false;
}
