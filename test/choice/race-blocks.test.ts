import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { raceBlocks } from "../../src/choice/race-blocks.js";

describe("the blocks of a race", () => {
  it("hold every sample once, in whole waves", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 1, max: 16 }),
        fc.nat(9),
        (samples, wide, seed) => {
          const blocks = raceBlocks(samples, wide, seed);
          const all = blocks.flat().sort((a, b) => a - b);
          expect(all).toEqual(Array.from({ length: samples }, (_, i) => i));
          for (const block of blocks) {
            expect(block.length).toBeGreaterThan(0);
            const waves = new Set(block.map((place) => Math.floor(place / wide)));
            const whole = [...waves].reduce((sum, wave) => sum + Math.min(wide, samples - wave * wide), 0);
            expect(block.length).toBe(whole);
            expect(block).toEqual([...block].sort((a, b) => a - b));
          }
        },
      ),
      { seed: 1 },
    );
  });

  it("come in an order that the seed draws, twenty samples first and fifteen looks after", () => {
    const blocks = raceBlocks(250, 1, 3);
    expect(blocks.map((block) => block.length)).toHaveLength(16);
    expect(blocks[0]).toHaveLength(20);
    expect(raceBlocks(250, 1, 3)).toEqual(blocks);
    expect(raceBlocks(250, 1, 4)).not.toEqual(blocks);
    expect(Math.max(...(blocks[0] ?? []))).toBeGreaterThan(100);
  });
});
