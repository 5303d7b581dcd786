// What the page asks of whoever draws: a server, or the visitor's own browser.
//
// A backend is an object with these async methods. Those marked * may be missing; what needs them
// is then not shown. Pictures are {recipe, png}: the recipe as JSON (seeds beyond 2^53-1 as
// strings), and a Blob of the very PNG that a visitor saves, the recipe inside.
//
//   attributes() -> {
//     attributes: {name: {choices, default, identity}}, sizes, default_size, default_psi,
//     largest_psi, weights (SHA-256), version, renderer, largest_count, transparent (boolean),
//     export_count, morph: {formats, sizes, keyframes, seconds} | null, links: [{label, href}] }
//   draw({seeds | count, attributes, psi, size} | {recipes}, watch) -> pictures
//       attributes: a choice for all, or a list with one for each seed, by name;
//       count, where facts have dice: true: as many seeds as the backend then rolls well itself
//   welcome*() -> pictures that were drawn beforehand, for a page that just opened
//   onBytes*(listen): calls listen({done, total}) as files arrive that drawing needs
//   vary({recipe, strength, count, start}, watch) -> pictures
//   recolour({recipe, attribute}, watch) -> pictures, one for each choice
//   morph*({keyframes, seconds, size, format}, watch) -> Blob; keyframes are recipes or seeds
//   exportZip*({attributes, seed, count, size, name, manifest, sheets, transparent}, watch)
//       -> {zip: Blob, pictures, seed}
//   exportName*(the same) -> {file}: how the first file would be called
//   sliders*() -> [{name, min, max, names: {en, zh, ja, ko}, directions}], in the order in which
//       they are shown; directions is what steps of recipes name beside the slider
//   mix*({recipes, count, shape, colours, strength, start}, watch) -> pictures; recipes are 2 to 4;
//       shape and colours: whose they are, 1 for the first, 0 for something between
//   edit*({picture: Blob, size}, watch) -> {pictures, original: Blob, verdict, nearness}: the
//       character nearest to a picture; original is what of it was looked at; verdict is exact,
//       close, relative or far; nearness is 0 for no nearer than any character, 1 for the same.
//       onProgress gets {done, total, picture: Blob or null}
//   sketch*({sketch, hints, labels, follow, count, size, attributes}, watch)
//       -> {pictures, seen, remark}: what lines become, see board/board.js
//
// watch is {onPicture(picture, index), onProgress({done, total}), signal}, all optional.
//
// Methods throw BackendError, or the signal's AbortError.

export class BackendError extends Error {
  // kind: offline, busy, option, recipe, picture, weights, failed; the translations have a
  // sentence for each. reason: one English line that names the thing and the remedy.
  constructor(kind, reason = "") {
    super(reason || kind);
    this.name = "BackendError";
    this.kind = kind;
    this.reason = reason;
  }
}

export const isAbort = (error) => error?.name === "AbortError";

// The module is named in the page, so that another page has another backend.
export async function loadBackend(document) {
  const address = document.documentElement.dataset.backend;
  const module = await import(new URL(address, document.baseURI).href);
  return module.createBackend();
}
