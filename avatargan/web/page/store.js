// What this browser keeps: favourites, history, settings. Recipes and thumbnails, no pictures.
//
// A server of ours keeps none of it. Two tabs of one browser see each other's changes.
import { withComment } from "./carried.js";
import { isRecipe, keyOf, parseRecipe } from "./recipes.js";

const KEYS = {
  favourites: "avatargan.favourites",
  history: "avatargan.history",
  settings: "avatargan.settings",
};
export const MOST = { favourites: 500, history: 200 };
const LONGEST_RECIPE = 20000;
const LONGEST_THUMBNAIL = 40000;
const LONGEST_NAME = 80;
const MOST_TAGS = 12;
const THUMBNAIL = /^data:image\/(jpeg|webp|png);base64,[A-Za-z0-9+/=]+$/;

// An entry of a list: {recipe, key, thumbnail, name, tags}. Other pages, extensions and older
// versions may have left anything in the storage, and a file may hold anything: what is no entry
// is left out. Before this version the recipe was text.
export function readEntry(value) {
  if (value === null || typeof value !== "object") return null;
  const { thumbnail } = value;
  if (typeof thumbnail !== "string" || thumbnail.length > LONGEST_THUMBNAIL || !THUMBNAIL.test(thumbnail)) {
    return null;
  }
  let recipe = value.recipe;
  try {
    if (typeof recipe === "string" && recipe.length <= LONGEST_RECIPE) recipe = parseRecipe(recipe);
  } catch {
    return null;
  }
  if (!isRecipe(recipe) || JSON.stringify(recipe).length > LONGEST_RECIPE) return null;
  const entry = { recipe, key: keyOf(recipe), thumbnail };
  // What older versions called the name was that of the file.
  if (typeof value.title === "string" && value.title.trim()) entry.title = value.title.trim().slice(0, LONGEST_NAME);
  if (Array.isArray(value.tags)) {
    const tags = value.tags.filter((tag) => typeof tag === "string").map(cleanTag).filter(Boolean);
    if (tags.length > 0) entry.tags = [...new Set(tags)].slice(0, MOST_TAGS);
  }
  return entry;
}

export const cleanTag = (tag) => tag.trim().replace(/\s+/g, " ").slice(0, 30);

export class Store extends EventTarget {
  // storage: as localStorage. thumbnailOf(picture): makes the small picture of an entry.
  constructor(storage, thumbnailOf) {
    super();
    this.storage = storage;
    this.thumbnailOf = thumbnailOf;
    this.memory = { favourites: [], history: [], settings: {} };
    this.usable = Boolean(storage);
    this.cache = {};
  }

  // Another tab has changed something.
  changedElsewhere(key) {
    if (key !== null && !Object.values(KEYS).includes(key)) return;
    this.cache = {};
    if (key !== KEYS.settings) this.tell("change");
  }

  tell(type, detail = {}) {
    this.dispatchEvent(Object.assign(new Event(type), detail));
  }

  list(name) {
    if (!this.usable) return this.memory[name];
    try {
      const text = this.storage.getItem(KEYS[name]) ?? "[]";
      if (this.cache[name]?.text !== text) {
        const values = JSON.parse(text);
        const entries = Array.isArray(values) ? values.map(readEntry).filter(Boolean).slice(0, MOST[name]) : [];
        this.cache[name] = { text, entries };
      }
      return this.cache[name].entries;
    } catch {
      return [];
    }
  }

  write(name, entries) {
    this.memory[name] = entries;
    if (this.usable) {
      const kept = entries.map(({ key, ...entry }) => entry);
      if (!this.put(KEYS[name], kept)) this.makeRoom(name, entries);
    }
    this.tell("change");
  }

  put(key, value) {
    try {
      this.storage.setItem(key, JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  }

  // History gives way to favourites: half of it goes at a time until there is room.
  makeRoom(name, entries) {
    const bare = (list) => list.map(({ key, ...entry }) => entry);
    let history = name === "history" ? entries : this.list("history");
    while (history.length > 0) {
      history = history.slice(0, Math.floor(history.length / 2));
      if (!this.put(KEYS.history, bare(history))) continue;
      if (name === "history" || this.put(KEYS[name], bare(entries))) return this.tell("problem", { key: "storage_full" });
    }
    this.memory.favourites = name === "favourites" ? entries : this.list("favourites");
    this.memory.history = [];
    this.usable = false;
    this.tell("problem", { key: "storage_off" });
  }

  get favourites() {
    return this.list("favourites");
  }

  get history() {
    return this.list("history");
  }

  isFavourite(picture) {
    const key = picture.key ?? keyOf(picture.recipe);
    return this.favourites.some((entry) => entry.key === key);
  }

  async entryOf(picture) {
    return readEntry({
      recipe: picture.recipe,
      thumbnail: picture.thumbnail ?? (await this.thumbnailOf(picture)),
      title: picture.title,
      tags: picture.tags,
    });
  }

  // Newest first; a picture that is there already moves to the front.
  async remember(pictures) {
    const fresh = (await Promise.all(pictures.map((picture) => this.entryOf(picture)))).filter(Boolean);
    const known = new Set(fresh.map((entry) => entry.key));
    const older = this.history.filter((entry) => !known.has(entry.key));
    this.write("history", [...fresh, ...older].slice(0, MOST.history));
  }

  // Returns false where there is no room.
  async addFavourite(picture) {
    const entry = await this.entryOf(picture);
    if (!entry || this.isFavourite(entry)) return true;
    if (this.favourites.length >= MOST.favourites) return false;
    this.write("favourites", [entry, ...this.favourites]);
    return true;
  }

  // Returns a function that puts them back where they were.
  remove(name, keys) {
    const gone = new Set(keys);
    const before = this.list(name);
    this.write(name, before.filter((entry) => !gone.has(entry.key)));
    return () => {
      const places = before.map((entry) => entry.key);
      const present = new Map(this.list(name).map((entry) => [entry.key, entry]));
      const added = [...present.values()].filter((entry) => !places.includes(entry.key));
      const restored = before.filter((entry) => gone.has(entry.key) || present.has(entry.key));
      this.write(name, [...added, ...restored.map((entry) => present.get(entry.key) ?? entry)].slice(0, MOST[name]));
    };
  }

  change(key, changes) {
    this.write(
      "favourites",
      this.favourites.map((entry) => (entry.key === key ? { ...readEntry({ ...entry, ...changes }) } : entry)),
    );
  }

  // Puts a favourite before another, or at the end.
  move(key, before) {
    const entries = this.favourites.filter((entry) => entry.key !== key);
    const moved = this.favourites.find((entry) => entry.key === key);
    const place = entries.findIndex((entry) => entry.key === before);
    if (!moved) return;
    entries.splice(place < 0 ? entries.length : place, 0, moved);
    this.write("favourites", entries);
  }

  // One file for another device.
  exportText() {
    const bare = (list) => list.map(({ key, ...entry }) => entry);
    return JSON.stringify({ format: "avatargan-collection", version: 1, favourites: bare(this.favourites), history: bare(this.history) });
  }

  // Adds what a file holds; returns how many favourites came in, or null where it is no such file.
  importText(text) {
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      return null;
    }
    if (value?.format !== "avatargan-collection" || !Array.isArray(value.favourites)) return null;
    let added = 0;
    for (const name of ["history", "favourites"]) {
      const present = this.list(name);
      const known = new Set(present.map((entry) => entry.key));
      const fresh = [];
      for (const entry of (Array.isArray(value[name]) ? value[name] : []).map(readEntry)) {
        if (!entry || known.has(entry.key)) continue;
        known.add(entry.key);
        fresh.push(entry);
      }
      const merged = [...present, ...fresh].slice(0, MOST[name]);
      if (name === "favourites") added = merged.length - present.length;
      if (fresh.length > 0) this.write(name, merged);
    }
    return added;
  }

  get settings() {
    if (!this.usable) return this.memory.settings;
    try {
      const value = JSON.parse(this.storage.getItem(KEYS.settings) ?? "{}");
      return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
    } catch {
      return {};
    }
  }

  set settings(value) {
    this.memory.settings = value;
    if (this.usable) this.put(KEYS.settings, value);
  }
}

const THUMBNAIL_SIDE = 128;

// In a browser: a JPEG of a few kilobytes.
export async function thumbnailOf(picture) {
  const image = await createImageBitmap(picture.png);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = THUMBNAIL_SIDE;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  if (picture.recipe.transparent) {
    context.drawImage(image, 0, 0, THUMBNAIL_SIDE, THUMBNAIL_SIDE);
    return canvas.toDataURL("image/webp", 0.8);
  }
  context.fillStyle = "white";
  context.fillRect(0, 0, THUMBNAIL_SIDE, THUMBNAIL_SIDE);
  context.drawImage(image, 0, 0, THUMBNAIL_SIDE, THUMBNAIL_SIDE);
  const plain = canvas.toDataURL("image/jpeg", 0.75);
  const bytes = Uint8Array.from(atob(plain.split(",")[1]), (c) => c.charCodeAt(0));
  const marked = withComment(bytes, picture.recipe);
  return `data:image/jpeg;base64,${btoa(Array.from(marked, (byte) => String.fromCharCode(byte)).join(""))}`;
}

export function openStorage() {
  try {
    const probe = "avatargan.probe";
    localStorage.setItem(probe, "1");
    localStorage.removeItem(probe);
    return localStorage;
  } catch {
    return null;
  }
}
