import { describe, expect, it } from "vitest";
import { fairCoinCdf, normalCdf, normalQuantile, studentQuantile } from "../../src/statistics/distributions.js";

/** Within a relative error. */
function near(actual: number, expected: number, relative: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(relative * Math.abs(expected));
}

// Expected numbers: SciPy 1.17.
describe("the distributions", () => {
  it.each([
    [1e-6, -4.753424308822899],
    [0.025, -1.9599639845400545],
    [0.3, -0.5244005127080409],
    [0.8, 0.8416212335729143],
    [0.975, 1.959963984540054],
  ])("have the normal quantile of %d", (p, expected) => {
    near(normalQuantile(p), expected, 1e-9);
  });

  it.each([
    [-5, 2.866515718791933e-7],
    [-1.96, 0.024997895148220435],
    [0, 0.5],
    [0.7, 0.758036347776927],
    [3, 0.9986501019683699],
  ])("have the normal probability below %d", (x, expected) => {
    near(normalCdf(x), expected, 1e-9);
  });

  it.each([
    [0.975, 1, 12.706204736174694],
    [0.975, 4, 2.7764451051977934],
    [0.975, 99, 1.9842169515864174],
    [0.9, 30, 1.3104150253913955],
    [0.995, 1000, 2.580754698065951],
  ])("have Student's quantile of %d at %d degrees of freedom", (p, degrees, expected) => {
    near(studentQuantile(p, degrees), expected, 1e-6);
  });

  it.each([
    [0, 5, 0.03125],
    [3, 10, 0.171875],
    [20, 60, 0.00674464686559593],
    [100, 250, 0.0009416504675380801],
    [10, 100, 1.5316450877189923e-17],
  ])("have the probability of at most %d heads in %d throws", (heads, throws, expected) => {
    near(fairCoinCdf(heads, throws), expected, 1e-9);
  });

  it("know the ends of the coin's", () => {
    expect(fairCoinCdf(-1, 5)).toBe(0);
    expect(fairCoinCdf(5, 5)).toBe(1);
    expect(fairCoinCdf(0, 0)).toBe(1);
  });
});
