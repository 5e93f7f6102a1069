import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Admission } from "../../src/server/admission.js";
import { ApiError } from "../../src/server/api-error.js";

describe("admission", () => {
  it("lets so many in, so many wait in the order of their coming, and refuses the rest with 429", async () => {
    const admission = new Admission(2, 2);
    const order: number[] = [];
    const turns = [0, 1, 2, 3].map((i) => {
      const turn = admission.join();
      void turn.ready.then(() => order.push(i));
      return turn;
    });
    await Promise.resolve();
    expect(order).toEqual([0, 1]);
    expect(admission).toMatchObject({ underWay: 2, waiting: 2 });
    expect(() => admission.join()).toThrow(ApiError);
    turns[1]?.leave();
    turns[1]?.leave();
    await Promise.resolve();
    expect(order).toEqual([0, 1, 2]);
    expect(admission).toMatchObject({ underWay: 2, waiting: 1 });
  });

  it("lets one that left the line make room, and never lets it in", async () => {
    const admission = new Admission(1, 1);
    const [first, second] = [admission.join(), admission.join()];
    let entered = false;
    void second.ready.then(() => (entered = true));
    second.leave();
    expect(admission.waiting).toBe(0);
    const third = admission.join();
    first.leave();
    await third.ready;
    expect(entered).toBe(false);
  });

  it("has none under way and none in line once all have left, whatever the order", () => {
    const actions = fc.array(fc.oneof(fc.constant("join" as const), fc.nat(40)), { maxLength: 80 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.nat(4), actions, (most, longest, steps) => {
        const admission = new Admission(most, longest);
        const turns: { leave: () => void }[] = [];
        for (const step of steps) {
          if (step !== "join") turns[step]?.leave();
          else if (admission.underWay < most || admission.waiting < longest) turns.push(admission.join());
          expect(admission.underWay).toBeLessThanOrEqual(most);
          expect(admission.waiting).toBeLessThanOrEqual(longest);
          // Nobody waits while there is room.
          expect(admission.waiting === 0 || admission.underWay === most).toBe(true);
        }
        for (const turn of turns) turn.leave();
        expect(admission).toMatchObject({ underWay: 0, waiting: 0 });
      }),
    );
  });

  it("tells how long to wait, from 1 to 60 seconds", () => {
    const admission = new Admission(1, 0);
    admission.join();
    try {
      admission.join();
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      expect(error.status).toBe(429);
      expect(error.retryAfterSeconds).toBeGreaterThanOrEqual(1);
      expect(error.retryAfterSeconds).toBeLessThanOrEqual(60);
    }
  });
});
