/** Parts a text of server-sent events, which comes in any pieces, into the data of its events. */
export class EventReader {
  private rest = "";

  /** The data of the events that are whole now. Source: HTML Living Standard, 9.2.6, for streams with data fields alone. */
  push(piece: string): string[] {
    const events = (this.rest + piece).split(/\r?\n\r?\n/);
    this.rest = events.pop() ?? "";
    return events.map(dataOf).filter((data) => data !== "");
  }
}

function dataOf(event: string): string {
  const lines = event.split(/\r?\n/).filter((line) => line.startsWith("data:"));
  return lines.map((line) => line.slice("data:".length).replace(/^ /, "")).join("\n");
}
