// The page's modules that need no browser. Run by test_page_modules.py, or: node --test tests/web
import assert from "node:assert/strict";
import { test } from "node:test";

import { BackendError } from "../../avatargan/web/page/backend.js";
import { createBackend } from "../../avatargan/web/page/backends/server.js";
import { pick } from "../../avatargan/web/page/language.js";
import { Navigation } from "../../avatargan/web/page/navigation.js";
import { layOut } from "../../avatargan/web/page/package.js";
import { recipeText, withComment } from "../../avatargan/web/page/carried.js";
import * as recipes from "../../avatargan/web/page/recipes.js";
import { withSlider, amountsOf } from "../../avatargan/web/page/shape.js";
import { Store } from "../../avatargan/web/page/store.js";
import { Studio } from "../../avatargan/web/page/studio.js";
import { distinct, makeZip } from "../../avatargan/web/page/zip.js";

const WEIGHTS = "a".repeat(64);
const FACTS = {
  attributes: {
    style: { choices: ["visual-novel", "tv"], default: "visual-novel", identity: true },
    hair: { choices: ["black", "pink", "blue"], default: "any", identity: false },
  },
  sizes: [128, 256], default_size: 256, default_psi: 0.7, largest_psi: 2, largest_count: 36, weights: WEIGHTS,
};
const THUMBNAIL = "data:image/jpeg;base64,AAAA";

function recipe(seed, changes = {}) {
  return {
    seed, attributes: { style: "tv", hair: "pink" }, psi: 0.7, variation: [], size: 256, weights_sha256: WEIGHTS, version: "0.1.0", ...changes,
  };
}

class Memory {
  constructor(room = Infinity) {
    this.values = new Map();
    this.room = room;
  }
  getItem(key) {
    return this.values.get(key) ?? null;
  }
  setItem(key, value) {
    const others = [...this.values].reduce((sum, [name, text]) => sum + (name === key ? 0 : text.length), 0);
    if (others + value.length > this.room) throw new Error("quota");
    this.values.set(key, value);
  }
}

const newStore = (storage = new Memory()) => new Store(storage, async () => THUMBNAIL);
const picture = (seed, changes) => ({ recipe: recipe(seed, changes), png: new Blob(["png"]) });

// A backend that draws at once, or when told to.
function fakeBackend() {
  const calls = [];
  async function draw(wanted, { onPicture, signal } = {}) {
    calls.push(wanted);
    const drawn = wanted.recipes
      ? wanted.recipes.map((one) => ({ recipe: one, png: new Blob(["png"]) }))
      : wanted.seeds.map((seed) => picture(seed));
    for (const [index, one] of drawn.entries()) {
      await backend.pause;
      signal?.throwIfAborted();
      onPicture?.(one, index);
    }
    return drawn;
  }
  const backend = {
    calls, pause: null, draw,
    vary: ({ recipe: of, count }, watch) => draw({ seeds: Array.from({ length: count }, (_, index) => Number(of.seed) * 1000 + index) }, watch),
    recolour: async () => { throw new BackendError("busy"); },
  };
  return backend;
}

// Links

test("a link says seed and attributes, or the whole recipe", () => {
  const link = recipes.linkOf(recipe(7), WEIGHTS);
  assert.equal(link, "seed=7&style=tv&hair=pink&psi=0.7&size=256");
  assert.deepEqual(recipes.readLink(`#${link}`), { seed: "7", attributes: { style: "tv", hair: "pink" }, psi: 0.7, size: 256 });
  for (const changed of [
    recipe("9223372036854775807", { variation: [{ seed: "9223372036854775806", strength: 0.3 }] }),
    recipe(7, { weights_sha256: "b".repeat(64) }),
    recipe(7, { transparent: true, format: 2 }),
    recipe(7, { format: 2, steps: [{ slider: "hair length", amount: 1.25, directions: "c".repeat(64) }] }),
  ]) {
    const long = recipes.linkOf(changed, WEIGHTS);
    assert.match(long, /^r=[A-Za-z0-9_-]+$/);
    assert.deepEqual(recipes.readLink(long), { recipe: changed });
    assert.doesNotMatch(recipes.fromBase64Url(long.slice(2)), /"seed":"/); // numbers, as Python reads them
  }
});

test("links that are no links, or too long, are refused", () => {
  for (const hash of ["", "#", "#r=%%%", "#r=AAAA", "#seed=-1", "#seed=9223372036854775808", "#hair=pink", `#r=${recipes.toBase64Url("[1]")}`]) {
    assert.equal(recipes.readLink(hash), null, hash);
  }
  const long = recipe(7, { variation: Array.from({ length: 32 }, () => ({ seed: "9223372036854775807", strength: 0.123456789 })) });
  assert.equal(recipes.linkOf(long, WEIGHTS), null);
});

test("large seeds keep every digit", () => {
  const text = JSON.stringify(recipe(1)).replace('"seed":1', '"seed": 9223372036854775807');
  assert.equal(recipes.parseRecipe(text).seed, "9223372036854775807");
  assert.deepEqual(recipes.seedsFrom("9007199254740991", 2), [9007199254740991, "9007199254740992"]);
});

test("choices that are not wanted are never drawn, and a seed stays one picture", () => {
  const seeds = Array.from({ length: 200 }, (_, index) => index);
  const { hair, style } = recipes.choicesFor(FACTS.attributes, { hair: "any", style: "tv" }, { hair: ["black"] }, seeds);
  assert.equal(style, "tv");
  assert.deepEqual(new Set(hair), new Set(["pink", "blue"]));
  assert.deepEqual(recipes.choicesFor(FACTS.attributes, {}, { hair: ["black"] }, [77]).hair, [hair[77]]);
});

test("names of files hold no characters of paths", () => {
  assert.equal(recipes.fileStem(recipe(7)), "avatar-7-tv-pink");
  assert.match(recipes.fileStem(recipe(7, { attributes: { hair: "../x y" } })), /^avatar-7-_x_y$/);
  assert.match(recipes.fileStem(recipe(undefined, { w: "AAAA" })), /^avatar-[a-z0-9]+-tv-pink-v[a-z0-9]+$/);
});

test("a slider is one step of a recipe, and at 0 none", () => {
  const slider = { name: "smile", directions: "d" };
  const once = withSlider(recipe(7), slider, 1);
  const twice = withSlider(withSlider(once, { name: "hair length", directions: "d" }, -1), slider, 0.5);
  assert.deepEqual(amountsOf(twice), { smile: 0.5, "hair length": -1 });
  assert.deepEqual(twice.steps.map((step) => step.slider), ["smile", "hair length"]);
  assert.equal(withSlider(once, slider, 0).steps, undefined);
});

// Files

test("the recipe of a PNG is found in its text chunk, and nowhere else", () => {
  const chunk = (type, data) => [0, 0, 0, data.length, ...Buffer.from(type), ...Buffer.from(data), 0, 0, 0, 0];
  const png = (...chunks) => Uint8Array.from([137, 80, 78, 71, 13, 10, 26, 10, ...chunks.flat()]);
  assert.equal(recipeText(png(chunk("IHDR", "x"), chunk("tEXt", "avatargan\0{}"))), "{}");
  assert.equal(recipeText(png(chunk("tEXt", "other\0{}"))), null);
  assert.equal(recipeText(png(chunk("tEXt", "avatargan\0{}")).subarray(0, 20)), null);
  assert.equal(recipeText(Uint8Array.from(Buffer.from("GIF89a avatargan\0{}"))), null);
});

test("a thumbnail carries its recipe in a comment", () => {
  const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xda, 0, 2, 9);
  const marked = withComment(jpeg, recipe(7));
  assert.deepEqual(JSON.parse(recipeText(marked)), recipe(7));
  assert.equal(recipeText(jpeg), null);
  assert.deepEqual([...marked.subarray(marked.length - 11)], [...jpeg.subarray(2)]);
});

test("a ZIP has every file once", async () => {
  const zip = makeZip([{ name: "é.png", bytes: Uint8Array.of(1, 2, 3) }]);
  assert.equal(zip.size, 2 * 6 + 30 + 46 + 22 + 3);
  assert.deepEqual(distinct(["a", "a", "b", "a"]), ["a", "a-2", "b", "a-3"]);
});

test("sheets are of a size that phones take", () => {
  const sheets = layOut(70, 512);
  assert.deepEqual(sheets.map((places) => places.length), [49, 21]);
  assert.ok(Math.max(...sheets[0].map(({ x }) => x)) + 512 <= 4096);
});

// What the browser keeps

test("favourites and history survive a reload; entries of older versions too", async () => {
  const storage = new Memory();
  const old = { recipe: JSON.stringify(recipe(3)), thumbnail: THUMBNAIL, name: "avatar-3", seed: "3", attributes: {} };
  storage.setItem("avatargan.favourites", JSON.stringify([old, null, { recipe: "x" }, { ...old, thumbnail: "javascript:1" }]));
  const store = newStore(storage);
  assert.deepEqual(store.favourites.map((entry) => entry.recipe.seed), [3]);
  await store.addFavourite(picture(4));
  await store.addFavourite(picture(4));
  await store.remember([picture(1), picture(2)]);
  await store.remember([picture(2)]);
  const again = newStore(storage);
  assert.deepEqual(again.favourites.map((entry) => entry.recipe.seed), [4, 3]);
  assert.deepEqual(again.history.map((entry) => entry.recipe.seed), [2, 1]);
});

test("what was removed comes back where it was", async () => {
  const store = newStore();
  for (const seed of [1, 2, 3]) await store.addFavourite(picture(seed));
  const seeds = () => store.favourites.map((entry) => entry.recipe.seed);
  const restore = store.remove("favourites", [store.favourites[1].key]);
  assert.deepEqual(seeds(), [3, 1]);
  await store.addFavourite(picture(9));
  restore();
  assert.deepEqual(seeds(), [9, 3, 2, 1]);
  store.move(store.favourites[3].key, store.favourites[0].key);
  assert.deepEqual(seeds(), [1, 9, 3, 2]);
});

test("a collection goes out as one file and comes in once", async () => {
  const store = newStore();
  await store.addFavourite(picture(1));
  store.change(store.favourites[0].key, { title: " Knight ", tags: ["blue", " blue ", ""] });
  const other = newStore();
  assert.equal(other.importText(store.exportText()), 1);
  assert.equal(other.importText(store.exportText()), 0);
  assert.deepEqual([other.favourites[0].title, other.favourites[0].tags], ["Knight", ["blue"]]);
  for (const text of ["", "{}", "[]", '{"format": "avatargan-collection"}']) assert.equal(other.importText(text), null);
});

test("a full storage drops history for favourites, and a missing one does for the visit", async () => {
  const one = JSON.stringify({ recipe: recipe(1), thumbnail: THUMBNAIL }).length;
  const store = newStore(new Memory(6.5 * one));
  const problems = [];
  store.addEventListener("problem", ({ key }) => problems.push(key));
  await store.remember([1, 2, 3, 4, 5].map((seed) => picture(seed)));
  await store.addFavourite(picture(6));
  await store.addFavourite(picture(7));
  assert.equal(store.favourites.length, 2);
  assert.ok(store.history.length < 5);
  assert.deepEqual(problems, ["storage_full"]);
  const without = newStore(null);
  await without.addFavourite(picture(1));
  assert.equal(without.favourites.length, 1);
});

// The work at hand

test("a second draw replaces the first, which leaves nothing behind", async () => {
  const backend = fakeBackend();
  const store = newStore();
  const studio = new Studio(backend, FACTS, store);
  studio.change({ count: 3 });
  await studio.draw();
  const first = studio.set;
  backend.pause = new Promise(() => {});
  const slow = studio.draw();
  backend.pause = null;
  await Promise.race([slow, studio.draw()]);
  assert.equal(studio.set.pictures.length, 3);
  assert.notEqual(studio.set, first);
  studio.undo.undo();
  assert.equal(studio.set, first);
  studio.undo.redo();
  assert.notEqual(studio.set, first);
});

test("cancelling keeps what was drawn, and the former set where nothing was", async () => {
  const backend = fakeBackend();
  const studio = new Studio(backend, FACTS, newStore());
  studio.change({ count: 2 });
  await studio.draw();
  const first = studio.set;
  let go;
  backend.pause = new Promise((resolve) => (go = resolve));
  const cancelled = studio.draw();
  studio.stop();
  go();
  await cancelled;
  assert.equal(studio.set, first);
  assert.equal(studio.drawing, null);
  assert.equal(studio.undo.canUndo, false);
});

test("sets of long ago are drawn again from their recipes", async () => {
  const studio = new Studio(fakeBackend(), FACTS, newStore());
  studio.change({ count: 1, seed: "5", locked: true });
  await studio.draw();
  const first = studio.set;
  for (let index = 0; index < 30; index++) await studio.draw();
  assert.equal(first.gone.length, 1);
  while (studio.undo.canUndo && studio.drawing === null) studio.undo.undo();
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(studio.set.pictures.map(({ recipe: one }) => one.seed), [5]);
  assert.notEqual(studio.set, first);
});

test("an error is told and changes nothing", async () => {
  const studio = new Studio(fakeBackend(), FACTS, newStore());
  await studio.draw();
  const before = studio.set;
  const told = [];
  studio.addEventListener("problem", ({ error }) => told.push(error.kind));
  await studio.fill({ title: "x", total: 3 }, () => studio.backend.recolour());
  assert.deepEqual([told, studio.set], [["busy"], before]);
});

test("a picture that was changed can be changed back", async () => {
  const studio = new Studio(fakeBackend(), FACTS, newStore());
  await studio.draw();
  const [before] = studio.set.pictures;
  const after = studio.replace(before, picture(99));
  assert.equal(studio.chosen, after);
  studio.undo.undo();
  assert.equal(studio.set.pictures[0], before);
  studio.undo.redo();
  assert.equal(studio.set.pictures[0], after);
});

test("settings of other weights, or of anybody, become usable ones", () => {
  const store = newStore();
  store.settings = { attributes: { hair: "plaid", style: "tv" }, unwanted: { hair: ["black", "x"] }, seed: "x", psi: 9, count: 1e9, size: 3, locked: true };
  const { settings } = new Studio(fakeBackend(), FACTS, store);
  assert.deepEqual(settings, {
    attributes: { style: "tv", hair: "any" }, unwanted: { style: [], hair: ["black"] }, seed: "", locked: false, series: [], psi: 0.7, count: 12, size: 256,
  });
});

test("where the backend rolls the seeds, a lock holds those that it rolled", async () => {
  const backend = fakeBackend();
  const { draw } = backend;
  backend.draw = (wanted, watch) => (wanted.count ? draw({ ...wanted, seeds: [70, 3, 50].slice(0, wanted.count) }, watch) : draw(wanted, watch));
  const studio = new Studio(backend, { ...FACTS, dice: true }, newStore());
  studio.change({ count: 3 });
  await studio.draw();
  assert.deepEqual([studio.settings.seed, studio.settings.locked], ["70", false]);
  studio.change({ locked: true, count: 4 });
  await studio.draw();
  assert.deepEqual(backend.calls.at(-1).seeds, [70, 3, 50, 73]);
  studio.change({ seed: "8" });
  await studio.draw();
  assert.deepEqual(backend.calls.at(-1).seeds, [8, 9, 10, 11]);
});

test("a character without a seed leaves the seed alone", () => {
  const studio = new Studio(fakeBackend(), FACTS, newStore());
  assert.deepEqual([studio.settingsOf(recipe(7)).seed, studio.settingsOf(recipe(7)).locked], ["7", true]);
  assert.equal(studio.settingsOf(recipe(undefined, { w: "AAAA" })).locked, false);
});

// Back and Forward

class FakeWindow extends EventTarget {
  constructor() {
    super();
    const entries = [null];
    let at = 0;
    const arrive = () => this.dispatchEvent(Object.assign(new Event("popstate"), { state: entries[at] }));
    this.location = { pathname: "/", search: "" };
    this.history = {
      pushState: (state) => entries.splice(++at, Infinity, structuredClone(state)),
      replaceState: (state) => (entries[at] = structuredClone(state)),
      go: (by) => ((at += by), arrive()),
    };
  }
}

test("Back closes what is open, then returns to the former tab; Forward goes there again", () => {
  const window = new FakeWindow();
  const log = [];
  const navigation = new Navigation(window, ({ tab }) => log.push(tab));
  navigation.begin({ tab: "create", set: 1 });
  navigation.go({ tab: "collection" });
  navigation.open("sheet", () => log.push("closed"));
  navigation.openers.sheet = () => (log.push("opened"), () => log.push("closed"));
  window.history.go(-1);
  window.history.go(1);
  window.history.go(-1);
  window.history.go(-1);
  window.history.go(1);
  assert.deepEqual(log, ["closed", "opened", "closed", "create", "collection"]);
  navigation.open("sheet", () => log.push("closed"));
  navigation.open("zoom", () => log.push("zoom closed"));
  navigation.close("sheet");
  assert.deepEqual(log.slice(-2), ["zoom closed", "closed"]);
});

// Languages and the server

test("a language is picked by what the browser says, scripts of Chinese included", () => {
  assert.deepEqual(
    [["ja-JP"], ["zh"], ["zh-TW"], ["zh-Hant-HK"], ["zh-Hans-SG"], ["fr", "ko"], ["fr"], []].map(pick),
    ["ja", "zh-CN", "zh-TW", "zh-TW", "zh-CN", "ko", "en", "en"],
  );
});

function answering(...pieces) {
  const body = new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
      controller.close();
    },
  });
  return createBackend({ root: new URL("http://x/api/v1/"), ask: async () => new Response(body) });
}

test("pictures are handed over line by line, however the bytes come in", async () => {
  const line = JSON.stringify({ recipe: recipe(1), png: btoa("png") });
  const came = [];
  const backend = answering(line.slice(0, 20), `${line.slice(20)}\n${line}\n`);
  const drawn = await backend.draw({ seeds: [1] }, { onPicture: (_, index) => came.push(index) });
  assert.deepEqual([came, drawn.length, await drawn[0].png.text()], [[0, 1], 2, "png"]);
});

test("an error after the first picture is an error", async () => {
  const line = JSON.stringify({ recipe: recipe(1), png: "" });
  const backend = answering(`${line}\n{"detail": "busy", "kind": "busy"}\n`);
  await assert.rejects(backend.draw({ seeds: [1] }), (error) => error.kind === "busy");
});

test("a job's file follows its lines, and a file that is cut off is none", async () => {
  const done = '{"status": "done", "bytes": 4, "type": "image/webp"}\n';
  const reports = [];
  const whole = answering('{"status": "busy", "done": 1, "total": 2}\n' + done + "R\n", Uint8Array.of(1, 10));
  const blob = await whole.morph({}, { onProgress: (report) => reports.push(report) });
  assert.deepEqual([reports, blob.size, blob.type], [[{ done: 1, total: 2 }], 4, "image/webp"]);
  await assert.rejects(answering(`${done}RI`).morph({}), (error) => error.kind === "offline");
});

test("no answer, and refusals of servers and proxies, have kinds", async () => {
  const kindOf = async (ask) => {
    const backend = createBackend({ root: new URL("http://x/"), ask });
    return backend.draw({}).then(() => null, (error) => error.kind);
  };
  const status = (code, body) => async () => new Response(body, { status: code });
  assert.deepEqual(
    await Promise.all([
      kindOf(async () => { throw new TypeError("no route"); }),
      kindOf(status(422, '{"detail": "x", "kind": "recipe"}')),
      kindOf(status(503, '{"detail": "x"}')),
      kindOf(status(502, "<html>")),
      kindOf(status(500, "oops")),
    ]),
    ["offline", "recipe", "busy", "offline", "failed"],
  );
});
