/** The parts of jStat 1.9 that are used; the package brings no types. */
declare module "jstat" {
  const jStat: {
    readonly normal: {
      inv(p: number, mean: number, sd: number): number;
      cdf(x: number, mean: number, sd: number): number;
    };
    ibeta(x: number, a: number, b: number): number;
    readonly chisquare: { inv(p: number, degreesOfFreedom: number): number };
    readonly studentt: {
      inv(p: number, degreesOfFreedom: number): number;
      cdf(x: number, degreesOfFreedom: number): number;
    };
  };
  export default jStat;
}
