/** Work in rounds, one after another, for as long as there is something to do: asked for often, it is begun once. */
export class Rounds {
  private isRunning = false;
  private isAsked = false;

  /** @param round does some of the work; false when there was nothing to do. It never rejects. */
  constructor(private readonly round: () => Promise<boolean>) {}

  /** Begins when what runs now has had its turn. */
  ask(): void {
    if (this.isAsked) return;
    this.isAsked = true;
    setImmediate(() => {
      this.isAsked = false;
      void this.run();
    });
  }

  private async run(): Promise<void> {
    if (this.isRunning) return;
    this.isRunning = true;
    try {
      while (await this.round());
    } finally {
      this.isRunning = false;
    }
  }
}
