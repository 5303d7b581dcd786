// A server answers: the REST API below the page's own address.
import { BackendError } from "../backend.js";

const LINES = "application/x-ndjson";
// How near an edited picture came, in the server's words and in ours.
const VERDICTS = { exact: "exact", close: "close", "a relative": "relative" };

export function createBackend({ root = new URL("api/v1/", document.baseURI), ask = fetch } = {}) {
  async function request(path, { body, form, signal, accept = "application/json" } = {}) {
    let response;
    try {
      response = await ask(new URL(path, root), {
        method: body || form ? "POST" : "GET",
        headers: { accept, ...(body ? { "content-type": "application/json" } : {}) },
        body: form ?? (body ? JSON.stringify(body) : undefined),
        signal,
      });
    } catch (error) {
      throw error.name === "AbortError" ? error : new BackendError("offline");
    }
    if (!response.ok) throw await refusal(response);
    return response;
  }

  async function pictures(path, body, { onPicture, signal } = {}) {
    const response = await request(path, { body, signal, accept: LINES });
    const drawn = [];
    await readLines(response, (line) => {
      if (line.detail !== undefined) throw new BackendError(line.kind ?? "failed", line.detail);
      const picture = { recipe: line.recipe, png: pngOf(line.png) };
      drawn.push(picture);
      onPicture?.(picture, drawn.length - 1);
      return true;
    });
    return drawn;
  }

  async function job(path, body, { onProgress, signal } = {}) {
    const response = await request(path, { body, signal });
    let last = null;
    const rest = await readLines(response, (line) => {
      if (line.detail !== undefined) throw new BackendError(line.kind ?? "failed", line.detail);
      if (line.status === "done") last = line;
      else onProgress?.({ done: line.done, total: line.total });
      return last === null;
    });
    const size = rest.reduce((sum, piece) => sum + piece.length, 0);
    if (last === null || size !== last.bytes) throw new BackendError("offline");
    return { ...last, file: new Blob(rest, { type: last.type }) };
  }

  const json = async (path, options) => (await request(path, options)).json();

  const backend = {
    async attributes() {
      const [choices, info] = await Promise.all([json("attributes"), json("info")]);
      // Weights decide what there is.
      if (!info.edits) delete backend.edit;
      return {
        ...choices,
        weights: info.weights_sha256,
        version: info.version,
        renderer: info.renderer,
        largest_count: info.limits.pictures,
        export_count: info.limits.export_pictures,
        transparent: info.transparent,
        dice: true,
        morph: { formats: info.morph_formats, sizes: info.morph_sizes, ...info.morph },
        links: [{ label: "rest_api", href: "docs" }],
      };
    },
    draw: (wanted, watch) => pictures("avatars", wanted, watch),
    vary: ({ recipe, strength, count, start }, watch) =>
      pictures("avatars/variations", { recipe, strength, n: count, start }, watch),
    recolour: (wanted, watch) => pictures("avatars/recolourings", wanted, watch),
    morph: async (wanted, watch) => (await job("morphs", wanted, watch)).file,
    async exportZip(wanted, watch) {
      const { file, pictures: count, seed } = await job("exports", wanted, watch);
      return { zip: file, pictures: count, seed };
    },
    async sliders() {
      const { directions, sliders } = await json("sliders");
      return sliders.map(({ name, minimum, maximum, names }) => ({ name, min: minimum, max: maximum, names, directions }));
    },
    mix: ({ recipes, count, ...others }, watch) => pictures("mixes", { recipes, n: count, ...others }, watch),
    async edit({ picture, size }, { onProgress, signal } = {}) {
      const form = new FormData();
      form.set("file", picture);
      form.set("progress", "true");
      if (size) form.set("size", size);
      const response = await request("edits", { form, signal, accept: LINES });
      let result = null;
      await readLines(response, (line) => {
        if (line.detail !== undefined) throw new BackendError(line.kind ?? "failed", line.detail);
        if (line.avatar) result = line;
        else onProgress?.({ done: line.done, total: line.of, picture: line.picture ? pngOf(line.picture) : null });
        return true;
      });
      if (result === null) throw new BackendError("offline");
      return {
        pictures: [{ recipe: result.avatar.recipe, png: pngOf(result.avatar.png) }],
        original: pngOf(result.original),
        verdict: VERDICTS[result.verdict] ?? "far",
        nearness: Math.max(0, 1 - result.share),
      };
    },
    async sketch({ sketch, hints, labels, count, ...others }, { signal } = {}) {
      const [lines, dabs, parts] = await Promise.all([sketch, hints, labels].map(base64Of));
      const body = { sketch: lines, ...(dabs && { hints: dabs }), ...(parts && { labels: parts }), n: count, ...others };
      const { avatars, seen, remark } = await json("sketches", { body, signal });
      return { pictures: avatars.map((avatar) => ({ ...avatar, png: pngOf(avatar.png) })), seen, remark };
    },
    exportName: (wanted, { signal } = {}) => json("exports", { body: { ...wanted, dry_run: true }, signal }),
  };
  return backend;
}

async function base64Of(blob) {
  if (!blob) return null;
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  return btoa(text);
}

function pngOf(base64) {
  return new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))], { type: "image/png" });
}

async function refusal(response) {
  try {
    const { detail, kind } = await response.json();
    const general = response.status === 503 ? "busy" : response.status < 500 ? "option" : "failed";
    return new BackendError(kind ?? general, String(detail));
  } catch {
    // A proxy answered, or the server broke off.
    return new BackendError(response.status === 502 || response.status === 504 ? "offline" : "failed");
  }
}

// Hands each line of JSON to take, which tells whether more lines follow; returns the bytes after.
async function readLines(response, take) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const rest = [];
  let waiting = []; // pieces of a line that is not complete
  let inLines = true;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      let piece = value;
      while (inLines) {
        const end = piece.indexOf(10);
        if (end < 0) break;
        waiting.push(piece.subarray(0, end));
        inLines = take(JSON.parse(decoder.decode(await new Blob(waiting).arrayBuffer())));
        waiting = [];
        piece = piece.subarray(end + 1);
      }
      if (piece.length === 0) continue;
      (inLines ? waiting : rest).push(piece);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    if (error.name === "AbortError" || error instanceof BackendError) throw error;
    throw new BackendError("offline");
  }
  return rest;
}
