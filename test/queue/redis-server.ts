import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";

/** Where Debian's package `redis-server` puts it. */
const executable = "/usr/bin/redis-server";

/** Whether there is a Redis to test with, and what to add to a test's title where there is none. */
export const hasRedis = existsSync(executable);
export const skippedWithoutRedis = hasRedis ? "" : `(skipped: no ${executable}; Debian's redis-server is it)`;

/** A Redis server of a test's own. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** The same server through TLS, where flags give it a certificate. */
  readonly tlsUrl: string;
  /** Ends it as `kill -9` does. */
  kill(): Promise<void>;
  /** Starts it again on the same port, with what its append-only file kept. */
  restart(): Promise<void>;
}

/**
 * Starts a Redis server on a free port of this machine.
 * @param folder where it keeps its append-only file.
 * @param flags more of its settings.
 */
export async function startRedis(folder: string, flags: readonly string[] = []): Promise<RedisServer> {
  const [port, tlsPort] = [await freePort(), await freePort()];
  const tls = flags.includes("--tls-cert-file") ? ["--tls-port", String(tlsPort)] : [];
  const fixed = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--dir",
    folder,
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
  ];
  const start = async (): Promise<ChildProcess> => {
    const server = spawn(executable, [...fixed, ...tls, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise<void>((resolve, reject) => {
      let log = "";
      server.stdout.setEncoding("utf8").on("data", (text: string) => {
        log += text;
        if (log.includes("Ready to accept connections")) resolve();
      });
      server.once("exit", () => {
        reject(new Error(`Redis did not start: ${log}`));
      });
    });
    return server;
  };
  let server = await start();
  const kill = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGKILL");
    await ended;
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    tlsUrl: `rediss://localhost:${tlsPort}`,
    kill,
    restart: async () => {
      await kill();
      server = await start();
    },
  };
}

/** A port of this machine that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
