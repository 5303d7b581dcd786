// The files beside the page: with their bytes counted as they come, and checked against the index.

import { sha256 } from "./sha256.js";

export class FileError extends Error {
  // kind: offline (it did not come), damaged (it came otherwise than the index says).
  constructor(kind, reason) {
    super(reason);
    this.name = "FileError";
    this.kind = kind;
  }
}

export class Files {
  /**
   * @param {URL} root the folder of the page
   * @param {(bytes: {done: number, total: number}) => void} onBytes
   */
  constructor(root, onBytes) {
    this.root = root;
    this.onBytes = onBytes;
    this.done = 0;
    this.total = 0;
  }

  async json(path) {
    return JSON.parse(new TextDecoder().decode(await this.#bytes(path, 0)));
  }

  /** A file that the index describes, whole and unchanged. */
  async verified(path, index) {
    const name = path.split("/").at(-1);
    const described = [...Object.values(index.models), index.directions]
      .find((one) => one?.file === name);
    // The address changes with the content: no cache hands out the file of another version.
    const address = `${path}?${described.sha256.slice(0, 12)}`;
    // What a cache kept may be damaged; the second time the host itself is asked.
    for (const cache of ["default", "reload"]) {
      const bytes = await this.#bytes(address, described.bytes, cache);
      if ((await sha256(bytes)) === described.sha256) return bytes;
      await this.#forget(address);
    }
    throw new FileError("damaged", `${path} is damaged; it has to be put there again`);
  }

  /** Take a file out of what the service worker keeps. */
  async #forget(address) {
    if (!globalThis.caches) return;
    const name = new URL(address, this.root).href;
    for (const key of await caches.keys()) await (await caches.open(key)).delete(name);
  }

  async #bytes(path, expected, cache = "default") {
    let response;
    try {
      response = await fetch(new URL(path, this.root), { cache });
    } catch {
      throw new FileError("offline", `${path} cannot be reached`);
    }
    if (!response.ok) throw new FileError("missing", `${path} is missing (${response.status})`);
    this.total += expected;
    const parts = [];
    let length = 0;
    try {
      for (const reader = response.body.getReader(); ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        parts.push(value);
        length += value.length;
        if (expected > 0) {
          this.done += value.length;
          this.onBytes({ done: this.done, total: Math.max(this.total, this.done) });
        }
      }
    } catch {
      throw new FileError("offline", `${path} broke off`);
    }
    const whole = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}
