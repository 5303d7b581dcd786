// The board's modules that need no browser.
import assert from "node:assert/strict";
import test from "node:test";

const board = new URL("../../avatargan/web/page/board/", import.meta.url);
const { BoardDocument, MOST_ACTIONS, isAction } = await import(new URL("document.js", board));
const { extend, ellipse, outlines } = await import(new URL("strokes.js", board));
const { removePaper } = await import(new URL("paper.js", board));
const { keep, restore } = await import(new URL("storage.js", board));
const { Live } = await import(new URL("live.js", board));

const stroke = (x = 0.5) => ({
  kind: "stroke", layer: "lines", tool: "pencil", points: [[x, 0.5, 0.5], [x, 0.6, 0.5]], width: 0.01, mirror: false,
});

test("everything can be undone and redone, clearing too", () => {
  const document = new BoardDocument();
  document.add(stroke());
  document.add({ kind: "clear" });
  assert.ok(document.isEmpty);
  document.undo();
  assert.equal(document.visible().length, 1);
  document.redo();
  assert.ok(document.isEmpty);
  document.undo();
  document.add(stroke(0.2));
  assert.ok(!document.canRedo);
  assert.ok(!document.isEmpty);
  for (let number = 0; number < MOST_ACTIONS; number++) document.add(stroke());
  assert.equal(document.actions.length, MOST_ACTIONS);
});

test("a document survives storage, and damaged ones give an empty board", () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const document = new BoardDocument();
  document.add(stroke());
  document.add(stroke(0.1));
  document.undo();
  assert.ok(keep(document, { tool: "line" }, storage));
  const { document: again, settings } = restore(storage);
  assert.deepEqual(again.toJSON(), document.toJSON());
  assert.equal(settings.tool, "line");
  for (const text of ["{", "null", '{"document": 7}', '{"document": {"version": 9, "actions": []}}']) {
    kept.set([...kept.keys()][0], text);
    assert.ok(restore(storage).document.isEmpty);
  }
});

test("a full storage is told, and keeps what is to be seen if that fits", () => {
  const storage = { setItem: (_, value) => { if (value.length > 400) throw new Error("full"); } };
  const document = new BoardDocument();
  for (let number = 0; number < 9; number++) document.add(stroke());
  assert.equal(keep(document, {}, storage), false);
  document.add({ kind: "clear" });
  assert.equal(keep(document, {}, storage), true);
});

test("what is no action is left out", () => {
  const odd = [null, 7, {}, { kind: "stroke" }, { ...stroke(), points: [] }, { ...stroke(), points: [[1, 2]] },
    { ...stroke(), width: -1 }, { ...stroke(), colour: "url(x)" }, { kind: "picture", source: "javascript:1" }];
  assert.ok(odd.every((action) => !isAction(action)));
  assert.ok(isAction({ ...stroke(), layer: "colours", colour: "#aabbcc", part: "hair" }));
});

test("a trembling hand is evened out, and mirror images are drawn", () => {
  const points = [];
  for (let number = 0; number <= 40; number++) extend(points, [number / 40, 0.5 + (number % 2 ? 0.01 : -0.01), 0.5]);
  const off = points.slice(2).map(([, y]) => Math.abs(y - 0.5));
  assert.ok(Math.max(...off) < 0.008);
  assert.ok(!extend(points, points.at(-1)));
  const [own, other] = outlines({ ...stroke(0.2), mirror: true });
  assert.deepEqual(other.map(([x]) => Math.round(x * 10)), own.map(() => 8));
  const round = ellipse([0.2, 0.2, 0.5], [0.6, 0.4]);
  assert.ok(round.every(([x, y]) => Math.abs(((x - 0.4) / 0.2) ** 2 + ((y - 0.3) / 0.1) ** 2 - 1) < 1e-9));
});

test("grey paper goes, its shadow too, and lines stay", () => {
  const size = 64;
  const pixels = new Uint8ClampedArray(4 * size * size);
  for (let index = 0; index < size * size; index++) {
    const paper = 150 + Math.floor(index / size); // lit from below
    const value = index % size === 32 ? paper / 4 : paper;
    pixels.set([value, value, value - 10, 255], 4 * index);
  }
  removePaper(pixels, size);
  for (let row = 0; row < size; row += 9) {
    assert.ok(pixels[4 * (row * size + 32) + 3] > 200);
    assert.equal(pixels[4 * (row * size + 10) + 3], 0);
  }
});

test("one question at a time, and the newest state is asked for in the end", async () => {
  const asked = [];
  const answers = [];
  let state = 0;
  const live = new Live({
    ask: async () => { const own = state; asked.push(own); await new Promise((done) => setTimeout(done, 15)); return own; },
    shown: (answer) => answers.push(answer), failed: assert.fail, working: () => {}, quiet: 1,
  });
  for (let number = 1; number <= 30; number++) {
    state = number;
    live.changed();
    await new Promise((done) => setTimeout(done, 2));
  }
  await new Promise((done) => setTimeout(done, 80));
  assert.equal(answers.at(-1), 30);
  assert.ok(asked.length < 15);
});
