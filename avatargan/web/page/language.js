// The languages of the page: translations/*.json, one file each, chosen by the browser or by hand.
export const LANGUAGES = { en: "English", "zh-CN": "简体中文", "zh-TW": "繁體中文", ja: "日本語", ko: "한국어" };
const FALLBACK = "en";
const KEY = "avatargan.language";
const EMPTY = { interface: {}, errors: {}, attributes: {}, choices: {} };

let current = FALLBACK;
let own = EMPTY;
let english = EMPTY;

// The first of a visitor's languages that we have. Traditional characters are for the places and
// for the script that say so.
export function pick(tags) {
  for (const tag of tags) {
    const lower = tag.toLowerCase();
    if (lower.startsWith("zh")) return /hant|tw|hk|mo/.test(lower) ? "zh-TW" : "zh-CN";
    const found = Object.keys(LANGUAGES).find((known) => known === lower.split("-")[0]);
    if (found) return found;
  }
  return FALLBACK;
}

export async function load(chosen, read = fetchTranslation) {
  current = chosen in LANGUAGES ? chosen : FALLBACK;
  english = await read(FALLBACK);
  own = current === FALLBACK ? english : await read(current);
}

async function fetchTranslation(language) {
  const response = await fetch(new URL(`./translations/${language}.json`, import.meta.url));
  return { ...EMPTY, ...(await response.json()) };
}

export const language = () => current;

export function preferred() {
  try {
    const stored = localStorage.getItem(KEY);
    if (stored in LANGUAGES) return stored;
  } catch {
    // Storage is switched off.
  }
  return pick(navigator.languages ?? [navigator.language]);
}

export function remember(chosen) {
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // The choice lasts until the page is left.
  }
}

const look = (part, key) => own[part][key] ?? english[part][key];

function fill(found, values) {
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export function text(key, values = {}) {
  return fill(look("interface", key) ?? key, values);
}

// What went wrong, wholly in the visitor's language. The reasons that engines give are English.
export function problem(error) {
  const known = look("errors", error.kind ?? "failed") ?? look("errors", "failed");
  return current === "en" && error.reason ? error.reason[0].toUpperCase() + error.reason.slice(1) : known;
}

// Weights may have names that no translation knows: those are shown as words.
function asWords(name) {
  const words = String(name).replace(/[-_]+/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const attributeName = (name) => look("attributes", name) ?? asWords(name);
export const choiceName = (name) => look("choices", name) ?? asWords(name);
// Sliders bring their names along: they are found, not chosen.
export const sliderName = ({ name, names = {} }) => names[current] ?? names[current.split("-")[0]] ?? names.en ?? asWords(name);
