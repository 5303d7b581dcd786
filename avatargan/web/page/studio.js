// The work at hand: sets of pictures, the one that is chosen, what is being drawn. No elements.
import { isAbort } from "./backend.js";
import { checkSeed, choicesFor, keyOf, linkOf, rollSeed, rollSeeds, seedForJson, seedsFrom, stepsOf } from "./recipes.js";
import { UndoStack } from "./undo.js";

// Sets whose pictures stay in memory; a set of twelve is a few megabytes.
const MOST_SETS = 30;
export const FAMILY = 11; // with the character itself they fill the grid
export const DEFAULT_COUNT = 12;

let pictureIds = 0;

export function asPicture({ recipe, png }) {
  return { id: ++pictureIds, recipe, png, key: keyOf(recipe), url: URL.createObjectURL(png) };
}

// Events: "set" (another set is shown, or its pictures came), "choose" (byHand), "busy", "problem"
// (error), "settings" (controls must show what they are).
export class Studio extends EventTarget {
  constructor(backend, facts, store) {
    super();
    this.backend = backend;
    this.facts = facts;
    this.store = store;
    this.undo = new UndoStack();
    this.sets = new Map();
    this.set = null;
    this.chosen = null;
    this.drawing = null;
    this.setIds = 0;
    this.settings = this.usable(store.settings);
  }

  tell(type, detail = {}) {
    this.dispatchEvent(Object.assign(new Event(type), detail));
  }

  // Settings: what Draw draws. Stored ones may be of other weights, or of anybody.
  usable(value = {}) {
    const { facts } = this;
    const within = (number, low, high, otherwise) =>
      typeof number === "number" && number >= low && number <= high ? number : otherwise;
    const attributes = {};
    const unwanted = {};
    for (const [name, { choices, default: usual }] of Object.entries(facts.attributes)) {
      const choice = value.attributes?.[name];
      attributes[name] = choice === "any" || choices.includes(choice) ? choice : usual;
      const excluded = Array.isArray(value.unwanted?.[name]) ? value.unwanted[name] : [];
      unwanted[name] = choices.filter((one) => excluded.includes(one));
    }
    const seed = checkSeed(String(value.seed)) ?? "";
    return {
      attributes,
      unwanted,
      seed,
      locked: value.locked === true && seed !== "",
      series: Array.isArray(value.series) ? value.series.filter((one) => checkSeed(String(one)) !== null).map(String).slice(0, facts.largest_count) : [],
      psi: within(value.psi, 0, facts.largest_psi, facts.default_psi),
      count: Math.round(within(value.count, 1, facts.largest_count, Math.min(DEFAULT_COUNT, facts.largest_count))),
      size: facts.sizes.includes(value.size) ? value.size : facts.default_size,
    };
  }

  // quietly: the controls know already.
  change(changes, quietly = false) {
    this.settings = { ...this.settings, ...changes };
    this.store.settings = this.settings;
    if (!quietly) this.tell("settings");
  }

  // The controls as a recipe has them. What it holds beyond seed and attributes they cannot show.
  settingsOf(recipe) {
    const { facts } = this;
    const attributes = { ...this.settings.attributes };
    for (const [name, { choices }] of Object.entries(facts.attributes)) {
      if (choices.includes(recipe.attributes[name])) attributes[name] = recipe.attributes[name];
    }
    // Variations and steps are not the controls' to draw: its seed alone would be another character.
    const seeded = recipe.seed !== undefined && stepsOf(recipe) === 0;
    return {
      attributes,
      psi: seeded ? Math.min(recipe.psi, facts.largest_psi) : this.settings.psi,
      size: facts.sizes.includes(recipe.size) ? recipe.size : this.settings.size,
      ...(seeded ? { seed: String(recipe.seed), locked: true } : { seed: "", locked: false }),
    };
  }

  // Draws what the controls say. A second call replaces the first.
  async draw({ remember = true } = {}) {
    const { locked, count } = this.settings;
    const wanted = this.wanted(locked ? { seeds: this.lockedSeeds() } : this.rolled(count));
    const done = await this.fill({ title: null, total: count, remember }, (watch) => this.backend.draw(wanted, watch));
    // A lock that is set afterwards holds all pictures.
    const series = done?.pictures.map(({ recipe }) => String(recipe.seed)) ?? [];
    if (series.length > 0 && !this.settings.locked) this.change({ seed: series[0], series });
    return done;
  }

  // What the controls ask for, with seeds or as many as a backend shall roll.
  wanted(of) {
    const { attributes, unwanted, psi, size } = this.settings;
    return { ...of, attributes: choicesFor(this.facts.attributes, attributes, unwanted, of.seeds ?? rollSeeds(of.count)), psi, size };
  }

  // A backend may know which seeds fall well.
  rolled(count) {
    return this.facts.dice ? { count } : { seeds: seedsFrom(rollSeed(), count) };
  }

  // The seeds of the draw that was locked, then those that follow the first.
  lockedSeeds() {
    const { seed, series, count } = this.settings;
    const known = series[0] === seed ? series : [];
    return [...known.map(seedForJson), ...seedsFrom(seed, count).slice(known.length)].slice(0, count);
  }

  // The character and others that look like it.
  vary(picture, strength = 0.3, start = 0) {
    const first = start === 0 ? [picture] : [];
    return this.fill({ title: "variations_title", total: FAMILY + first.length, first }, (watch) =>
      this.backend.vary({ recipe: picture.recipe, strength, count: FAMILY, start }, watch),
    );
  }

  openRecipes(recipes, { title = null, remember = false } = {}) {
    return this.fill({ title, total: recipes.length, remember }, (watch) => this.backend.draw({ recipes }, watch));
  }

  // Pictures that came from elsewhere: the board, a picture of one's own. stay: the visitor goes
  // on where they are.
  openPictures(pictures, title, { remember = true, stay = false } = {}) {
    const own = pictures.map((picture) => (picture.url ? picture : asPicture(picture)));
    this.stop();
    const set = this.newSet(title, own.length, own);
    set.busy = false;
    this.show(set, { stay });
    if (remember) this.store.remember(own);
    this.choose(own[0]);
    return set;
  }

  // What a link says.
  async openLink(link) {
    if (link.recipe) return this.openRecipes([link.recipe], { title: "shared_title" });
    const { facts } = this;
    const attributes = Object.fromEntries(Object.entries(link.attributes).filter(([name]) => name in facts.attributes));
    const psi = link.psi !== null && link.psi >= 0 && link.psi <= facts.largest_psi ? link.psi : facts.default_psi;
    const size = facts.sizes.includes(link.size) ? link.size : facts.default_size;
    const wanted = { seeds: seedsFrom(link.seed, 1), attributes, psi, size };
    return this.fill({ title: "shared_title", total: 1 }, (watch) => this.backend.draw(wanted, watch));
  }

  newSet(title, total, pictures) {
    const set = { id: ++this.setIds, title, total, pictures, busy: true, chosen: null };
    this.sets.set(set.id, set);
    for (const [id, old] of this.sets) {
      if (this.sets.size <= MOST_SETS) break;
      if (old !== this.set) this.letGo(id, old);
    }
    return set;
  }

  // Pictures leave the memory; their recipes stay, should the set be wanted again.
  letGo(id, set) {
    this.sets.delete(id);
    const needed = new Set([...this.sets.values()].flatMap(({ pictures }) => pictures));
    for (const picture of set.pictures) if (!needed.has(picture)) URL.revokeObjectURL(picture.url);
    set.gone = set.pictures.map(({ recipe }) => recipe);
  }

  stop() {
    this.drawing?.abort();
    this.drawing = null;
  }

  // A set that is replaced before anything was drawn leaves no trace.
  forgetEmpty() {
    const { set } = this;
    if (!set?.busy || set.pictures.length > 0 || !set.before) return;
    this.sets.delete(set.id);
    this.undo.done.pop();
    this.set = set.before;
  }

  // Fills a set with what a backend's method draws; shows the set with its first picture to come.
  async fill({ title, total, first = [], remember = true }, ask) {
    this.stop();
    this.forgetEmpty();
    const controller = new AbortController();
    this.drawing = controller;
    const before = this.set;
    const set = this.newSet(title, total, [...first]);
    set.before = before;
    this.show(set);
    this.tell("busy");
    if (first.length > 0) this.choose(first[0]);
    try {
      await ask({
        signal: controller.signal,
        onPicture: (drawn) => {
          if (controller.signal.aborted) return;
          const picture = asPicture(drawn);
          set.pictures.push(picture);
          if (this.set === set) {
            this.tell("set");
            if (set.pictures.length === 1) this.choose(picture);
          }
        },
      });
      return set;
    } catch (error) {
      if (!isAbort(error)) this.tell("problem", { error });
      // What was not drawn leaves no trace.
      if (set.pictures.length === first.length && this.set === set) {
        this.sets.delete(set.id);
        this.undo.done.pop();
        if (before) this.show(before, { step: false });
      }
      return null;
    } finally {
      set.busy = false;
      set.total = set.pictures.length;
      if (this.drawing === controller) {
        this.drawing = null;
        this.tell("busy");
      }
      if (this.set === set) this.tell("set");
      if (remember) this.store.remember(set.pictures);
    }
  }

  // step: whether it is something the visitor did, to be taken back.
  show(set, { step = true, stay = false } = {}) {
    const before = this.set;
    if (before === set) return;
    if (set.gone) return void this.openRecipes(set.gone, { title: set.title });
    if (before && before.pictures.includes(this.chosen)) before.chosen = this.chosen;
    this.set = set;
    if (step && before) {
      this.undo.push({
        undo: () => this.show(before, { step: false }),
        redo: () => this.show(set, { step: false }),
      });
    }
    this.tell("set", { fresh: step, stay });
    this.choose(set.chosen ?? set.pictures[0] ?? null);
  }

  showId(id) {
    const set = this.sets.get(id);
    if (set) this.show(set, { step: false });
    return Boolean(set);
  }

  // byHand tells the visitor's own choice from the app's: only the former opens a phone's sheet.
  choose(picture, byHand = false) {
    this.chosen = picture;
    if (this.set && picture) this.set.chosen = picture;
    this.tell("choose", { byHand });
  }

  neighbour(step) {
    const { pictures } = this.set ?? { pictures: [] };
    const place = pictures.indexOf(this.chosen);
    return place < 0 ? null : (pictures[place + step] ?? null);
  }

  // Another picture in the place of one, to be taken back.
  replace(before, drawn) {
    const after = drawn.url ? drawn : asPicture(drawn);
    const { set } = this;
    const put = (from, to) => {
      const place = set.pictures.indexOf(from);
      if (place < 0) return;
      set.pictures[place] = to;
      if (this.set !== set) this.show(set, { step: false });
      this.tell("set");
      this.choose(to);
    };
    put(before, after);
    this.undo.push({ undo: () => put(after, before), redo: () => put(before, after) });
    this.store.remember([after]);
    return after;
  }

  // The same wishes with another seed, in the place of a picture.
  async reroll(picture) {
    try {
      const [drawn] = await this.backend.draw(this.wanted(this.rolled(1)));
      return this.replace(picture, drawn);
    } catch (error) {
      this.tell("problem", { error });
      return null;
    }
  }

  // One picture of a recipe, for whoever asks; errors come through.
  async drawOne(recipe, watch) {
    const [drawn] = await this.backend.draw({ recipes: [recipe] }, watch);
    return drawn;
  }

  linkOf(picture) {
    return linkOf(picture.recipe, this.facts.weights);
  }
}
