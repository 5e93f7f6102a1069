import { once } from "node:events";
import { createServer, isIPv6 } from "node:net";
import type { FastifyInstance } from "fastify";
import { UsageError } from "../errors.js";

/** Where to listen. Port 0 takes a free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** @returns the address as a URL, without a slash at its end. @throws UsageError when it is taken or is not this machine's. */
export async function listen(app: FastifyInstance, { host, port }: ListenAddress): Promise<string> {
  await app.listen({ host, port }).catch((cause: unknown) => {
    throw listenError(host, port, cause);
  });
  const address = app.server.address();
  const real = typeof address === "object" && address ? address.port : port;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${real}`;
}

/** Binds the port and lets it go: that it is taken must show before a large model was loaded for nothing. */
export async function assertPortFree({ host, port }: ListenAddress): Promise<void> {
  const probe = createServer();
  try {
    probe.listen({ host, port });
    await once(probe, "listening");
  } catch (cause) {
    throw listenError(host, port, cause);
  } finally {
    probe.close();
  }
}

/** What is wrong with the address, or the error itself where that is not known. */
function listenError(host: string, port: number, cause: unknown): unknown {
  const reasons: Readonly<Record<string, { actual: string; fix: string }>> = {
    EADDRINUSE: {
      actual: "another process listens there",
      fix: "Stop it, or choose another --port; 0 takes a free one.",
    },
    EACCES: { actual: "permission denied", fix: "Choose a --port above 1023." },
    EADDRNOTAVAIL: { actual: "this machine has no such address", fix: "Choose another --host." },
    ENOTFOUND: { actual: "no such name", fix: "Choose another --host." },
  };
  const known = cause instanceof Error && "code" in cause ? reasons[String(cause.code)] : undefined;
  return known ? new UsageError({ what: `cannot listen on ${host}, port ${port}`, ...known, cause }) : cause;
}
