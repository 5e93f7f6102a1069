/** Where the key is kept: until the tab is closed, and for no other site. */
const KEY = "boundary-api-key";

/** An answer of the server that is not the one asked for, in words for people. */
export class RequestError extends Error {
  override readonly name = "RequestError";

  constructor(
    message: string,
    /** Status of HTTP; 0 where the server could not be reached. */
    readonly status: number,
  ) {
    super(message);
  }
}

/** The server that the page came from. */
export class Api {
  private key = sessionStorage.getItem(KEY) ?? undefined;

  get hasKey(): boolean {
    return this.key !== undefined;
  }

  /** Sends this key from now on; without one it forgets the last. */
  useKey(key: string | undefined): void {
    this.key = key;
    if (key === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, key);
  }

  /** @param path relative to the page, so that the server may stand behind a proxy's path. @throws RequestError */
  async get<T>(path: string): Promise<T> {
    const response = await this.send(path, {});
    return (await response.json()) as T;
  }

  /** @throws RequestError; the reason of the signal when it fires. */
  async post(path: string, body: object, signal: AbortSignal): Promise<Response> {
    const headers = { "content-type": "application/json" };
    return this.send(path, { method: "POST", body: JSON.stringify(body), headers, signal });
  }

  private async send(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.key !== undefined) headers.set("authorization", `Bearer ${this.key}`);
    const response = await fetch(path, { ...init, headers }).catch((error: unknown) => {
      if (init.signal?.aborted) throw error;
      throw new RequestError("The server cannot be reached.", 0);
    });
    if (response.ok) return response;
    const seconds = Number(response.headers.get("retry-after") ?? "0");
    const hint = seconds > 0 ? ` It may work in ${seconds} s.` : "";
    throw new RequestError(`${await messageOf(response)}${hint}`, response.status);
  }
}

async function messageOf(response: Response): Promise<string> {
  const body = (await response.json().catch(() => undefined)) as { error?: { message?: string } } | undefined;
  return body?.error?.message ?? `The server answered with status ${response.status}.`;
}
