// Keeps the static site for use without a network, and isolates its pages, so that the engine may
// use threads where the host sends no such headers.
//
// BUILD is set when the site is written: a browser installs a new worker where it differs.
const BUILD = "unset";

const SHELL = `avatargan-${BUILD}`;
// Models and engine: their addresses change with their content, so that they outlive a build.
const LARGE = "avatargan-large";
const isLarge = (path) => /\.(onnx|wasm|safetensors)$/.test(path);

self.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const { files } = await (await fetch("files.json", { cache: "no-cache" })).json();
      const shell = await caches.open(SHELL);
      const paths = files.map((file) => file.path).filter((path) => !isLarge(path));
      await shell.addAll(["./", ...paths].map((path) => new Request(path, { cache: "no-cache" })));
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      const names = await caches.keys();
      const old = names.filter((name) => name.startsWith("avatargan-") && ![SHELL, LARGE].includes(name));
      await Promise.all(old.map((name) => caches.delete(name)));
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || !address.href.startsWith(self.registration.scope)) return;
  event.respondWith(isLarge(address.pathname) ? large(request) : small(request));
});

async function small(request) {
  const shell = await caches.open(SHELL);
  const kept = await shell.match(request, { ignoreSearch: true });
  return isolated(kept ?? (await fetch(request)));
}

async function large(request) {
  const cache = await caches.open(LARGE);
  const kept = await cache.match(request);
  if (kept) return isolated(kept);
  const response = await fetch(request);
  if (response.status === 200) {
    // A full disk keeps nothing; the page draws all the same.
    await cache.put(request, response.clone()).catch(() => {});
    await forgetOthers(cache, request);
  }
  return isolated(response);
}

/** Forget the file of the same name that belonged to another build. */
async function forgetOthers(cache, request) {
  const path = new URL(request.url).pathname;
  for (const other of await cache.keys()) {
    if (other.url !== request.url && new URL(other.url).pathname === path) await cache.delete(other);
  }
}

function isolated(response) {
  if (response.status === 0 || response.redirected) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
