import { shuffle } from "../statistics/random.js";

/**
 * Samples of the first block, at which those far behind leave, and looks after it. Of 12 and 20 samples and 9 to 15 looks in simulation these
 * saved most at the same agreement (eval/results/race.md).
 */
const FIRST_BLOCK = 20;
const LATER_BLOCKS = 15;

/**
 * The samples of a race in blocks, in the order in which blocks are answered: whole waves, so that answers are those of a full sweep, in an
 * order that the seed draws, so that the first blocks are a random sample of all, whatever order the file has. In a block samples keep
 * their order.
 * @param sequences samples of a wave.
 * @returns places of the samples.
 */
export function raceBlocks(samples: number, sequences: number, seed: number): number[][] {
  const waves = Array.from({ length: Math.ceil(samples / sequences) }, (_, wave) => wave);
  const order = shuffle(seed, waves);
  const first = Math.min(waves.length, Math.ceil(FIRST_BLOCK / sequences));
  const looks = Math.min(LATER_BLOCKS, waves.length - first);
  const ends = Array.from({ length: looks + 1 }, (_, look) => {
    return look === 0 ? first : first + Math.round(((waves.length - first) * look) / looks);
  });
  return ends.map((end, look) => {
    const own = order.slice(look === 0 ? 0 : ends[look - 1], end).sort((a, b) => a - b);
    return own.flatMap((wave) => {
      const start = wave * sequences;
      return Array.from({ length: Math.min(sequences, samples - start) }, (_, i) => start + i);
    });
  });
}
