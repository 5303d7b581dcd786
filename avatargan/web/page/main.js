// Where the page begins: language, backend, tabs, keys, links.
import { isAbort, loadBackend } from "./backend.js";
import { buildDialogs, helpContent } from "./dialogs.js";
import { button, h, hideToast, icon, save, toast } from "./dom.js";
import { openGuide } from "./guide.js";
import { openMix } from "./mix.js";
import * as language from "./language.js";
import { Navigation } from "./navigation.js";
import { fileStem, keyOf, readLink } from "./recipes.js";
import { copyLink } from "./share.js";
import { openStorage, Store, thumbnailOf } from "./store.js";
import { Studio } from "./studio.js";
import { TABS } from "./tabs.js";
import { buildZoom } from "./zoom.js";

const { text, problem } = language;
const SESSION = "avatargan.session";
const THEME = "avatargan.theme";
const RETRY_MS = 3000;

async function start() {
  await language.load(language.preferred());
  document.documentElement.lang = language.language();
  document.querySelector("#skip").textContent = text("skip");
  const backend = await loadBackend(document);
  const facts = await reach(backend);
  facts.sliders = backend.sliders ? await backend.sliders().catch(() => []) : [];
  const store = new Store(openStorage(), thumbnailOf);
  window.addEventListener("storage", (event) => store.changedElsewhere(event.key));
  const studio = new Studio(backend, facts, store);
  const wide = window.matchMedia("(min-width: 1080px)");
  const mounted = {};
  const navigation = new Navigation(window, ({ tab, set }) => {
    if (set !== null) studio.showId(set);
    showTab(tab);
  });
  const working = new Set();

  const context = {
    backend, facts, store, studio, navigation, wide,
    isWide: () => wide.matches,
    dialog: buildDialogs(navigation),
    report: (error) => {
      if (!isAbort(error)) toast(problem(error));
    },
    go(tab, options) {
      navigation.go({ tab });
      showTab(tab, options);
    },
    async toggleFavourite(picture) {
      if (!picture) return;
      if (!store.isFavourite(picture)) return context.addFavourite(picture);
      const restore = store.remove("favourites", [picture.key]);
      studio.undo.push({ undo: restore, redo: () => store.remove("favourites", [picture.key]) });
      toast(text("favourite_removed"), { label: text("undo"), run: () => studio.undo.undo() });
    },
    async addFavourite(picture) {
      if (!(await store.addFavourite(picture))) return toast(text("favourites_full", { count: store.favourites.length }));
      studio.undo.push({ undo: () => store.remove("favourites", [picture.key]), redo: () => store.addFavourite(picture) });
      toast(text("favourite_added"));
    },
    download: (picture) => picture && save(picture.png, `${fileStem(picture.recipe)}.png`),
    // A picture of the collection, in Create with all its settings.
    async openEntry(entry) {
      context.go("create");
      studio.change(studio.settingsOf(entry.recipe));
      await studio.openRecipes([entry.recipe], { title: "reopened_title" });
    },
    mix: (entries) => openMix(context, entries),
    guide: () => openGuide(context),
    // A page with work under way asks before it is left; returns what ends that.
    busy(what) {
      const token = { what };
      working.add(token);
      return () => working.delete(token);
    },
  };
  const zoom = buildZoom(context);
  let beside = null;
  context.zoom = () => zoom();
  context.compare = () => {
    if (beside && beside !== studio.chosen) {
      hideToast();
      zoom(beside);
      beside = null;
      return document.body.classList.remove("comparing");
    }
    beside = studio.chosen;
    document.body.classList.add("comparing");
    if (navigation.isOpen("sheet")) navigation.close("sheet");
    return toast(text("compare_pick"), { label: text("cancel"), run: () => {
      beside = null;
      document.body.classList.remove("comparing");
    } });
  };

  studio.addEventListener("problem", ({ error }) => context.report(error));
  store.addEventListener("problem", ({ key }) => toast(text(key)));

  // The second picture of a comparison is the next that is chosen.
  studio.addEventListener("choose", ({ byHand }) => {
    if (byHand && beside && studio.chosen !== beside) context.compare();
  });

  buildFrame(context);
  const available = TABS.filter((tab) => tab.available(context));
  const places = buildTabs(available, context);

  function showTab(name, options) {
    const tab = available.find((one) => one.name === name) ?? available[0];
    for (const { name: other } of available) {
      const selected = other === tab.name;
      const { button: own, panel } = places[other];
      own.setAttribute("aria-selected", String(selected));
      own.tabIndex = selected ? 0 : -1;
      panel.hidden = !selected;
    }
    document.body.dataset.tab = tab.name;
    if (!mounted[tab.name]) mounted[tab.name] = tab.mount(places[tab.name].panel, context) ?? {};
    mounted[tab.name].shown?.(options);
  }

  navigation.begin({ tab: "create", set: null });
  showTab("create");

  studio.addEventListener("set", ({ fresh, stay }) => {
    if (!fresh || !studio.set) return;
    if (stay || navigation.place.set === null) navigation.amend({ set: studio.set.id });
    else navigation.go({ tab: "create", set: studio.set.id });
    if (!stay && document.body.dataset.tab !== "create") showTab("create");
  });

  const follow = () => {
    if (!studio.chosen) return;
    navigation.address(studio.linkOf(studio.chosen) ?? "");
    keepSession(studio);
  };
  studio.addEventListener("choose", follow);
  studio.addEventListener("busy", () => studio.drawing === null && follow());

  window.addEventListener("hashchange", () => {
    if (history.state === null) openAddress(context, true); // changed by hand
  });
  window.addEventListener("beforeunload", (event) => {
    if (working.size > 0) event.preventDefault();
  });
  watchConnection(context);
  watchFiles(context);
  dropAnywhere(context, () => mounted.picture);
  keys(context);
  document.body.dataset.ready = "true";
  await openAddress(context, false);
}

// Until the backend answers: a page that is opened before its server is up waits for it.
async function reach(backend) {
  for (;;) {
    try {
      return await backend.attributes();
    } catch (error) {
      document.querySelector("#main").replaceChildren(
        h("p", { class: "waiting", role: "status" }, problem(error)),
      );
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

// What the address says, or what was there before a reload, or first pictures.
async function openAddress({ studio, backend }, byHand) {
  const link = readLink(location.hash);
  const session = byHand ? null : readSession();
  if (session && (!link || session.link === location.hash)) {
    // A reload may have cut them short before they were remembered.
    const set = await studio.openRecipes(session.recipes, { title: session.title, remember: true });
    const chosen = set?.pictures[session.chosen];
    if (chosen) studio.choose(chosen);
    if (set) return;
  }
  if (link) {
    const set = await studio.openLink(link);
    if (set?.pictures[0]) return studio.change(studio.settingsOf(set.pictures[0].recipe));
  } else if (location.hash.length > 1) toast(text("link_wrong"));
  if (byHand) return;
  // Where models arrive first, there are pictures to look at meanwhile.
  if (backend.welcome) return studio.openPictures(await backend.welcome(), null, { remember: false });
  await studio.draw();
}

function keepSession(studio) {
  const { set, chosen } = studio;
  if (!set || set.busy) return;
  const recipes = set.pictures.map(({ recipe }) => recipe);
  try {
    sessionStorage.setItem(SESSION, JSON.stringify({ recipes, title: set.title, chosen: set.pictures.indexOf(chosen), link: location.hash }));
  } catch {
    // A reload then begins anew.
  }
}

function readSession() {
  try {
    const value = JSON.parse(sessionStorage.getItem(SESSION));
    return Array.isArray(value?.recipes) && value.recipes.length > 0 ? value : null;
  } catch {
    return null;
  }
}

function buildFrame(context) {
  const theme = button({ label: text("theme"), symbol: "moon", quiet: true, "data-theme-button": true, onclick: () => setTheme(isDark() ? "light" : "dark") });
  const isDark = () => document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const showTheme = () => {
    theme.replaceChildren(icon(isDark() ? "sun" : "moon"));
    const label = text(isDark() ? "theme_light" : "theme_dark");
    theme.title = label;
    theme.setAttribute("aria-label", label);
  };
  function setTheme(value) {
    document.documentElement.dataset.theme = value;
    try {
      localStorage.setItem(THEME, value);
    } catch {
      // The choice lasts until the page is left.
    }
    showTheme();
  }
  showTheme();
  const languages = h(
    "select",
    {
      "aria-label": text("language"), "data-language": true,
      onchange: () => {
        language.remember(languages.value);
        location.reload();
      },
    },
    Object.entries(language.LANGUAGES).map(([tag, name]) => h("option", { value: tag, lang: tag, selected: tag === language.language() }, name)),
  );
  document.querySelector("#top").replaceChildren(
    h("a", { class: "brand", href: "./", onclick: (event) => (event.preventDefault(), context.go("create")) }, h("span", { class: "mark", "aria-hidden": "true" }), h("h1", {}, "avatargan")),
    h("p", { class: "tagline" }, text("tagline")),
  );
  document.querySelector("#tools").replaceChildren(
    h("p", { class: "offline", id: "offline", role: "status", hidden: true }, text("offline")),
    h("p", { class: "arriving", id: "arriving", role: "status", hidden: true }),
    languages,
    button({ label: text("help"), symbol: "help", quiet: true, "data-help": true, onclick: () => openHelp(context) }),
    theme,
  );
  const { facts } = context;
  document.querySelector("#foot").replaceChildren(
    h("span", {}, `avatargan ${facts.version}`),
    h("span", { title: facts.weights }, `${text("footer_weights")} ${facts.weights.slice(0, 12)}`),
    h("span", {}, facts.renderer),
    ...(facts.links ?? []).map(({ label, href }) => h("a", { href, target: "_blank", rel: "noopener" }, text(label))),
  );
}

function openHelp({ dialog }) {
  dialog({ name: "help", title: text("help"), content: helpContent() });
}

function buildTabs(available, context) {
  const bar = document.querySelector("#tabs");
  const main = document.querySelector("#main");
  const places = {};
  const list = h("div", { role: "tablist", "aria-label": text("tabs") });
  bar.replaceChildren(list);
  bar.setAttribute("aria-label", text("tabs"));
  main.replaceChildren();
  for (const tab of available) {
    const label = tab.label?.(context) ?? text(`${tab.name}_tab`);
    const own = h(
      "button",
      {
        type: "button", role: "tab", id: `tab-${tab.name}`, "aria-controls": `panel-of-${tab.name}`,
        onclick: () => context.go(tab.name),
        onkeydown: (event) => {
          const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
          if (!move) return;
          const at = (available.indexOf(tab) + move + available.length) % available.length;
          places[available[at].name].button.focus();
          context.go(available[at].name);
        },
      },
      icon(tab.symbol),
      h("span", {}, label),
    );
    const panel = h("section", { role: "tabpanel", id: `panel-of-${tab.name}`, class: `tab tab-${tab.name}`, "aria-labelledby": `tab-${tab.name}`, hidden: true });
    list.append(own);
    main.append(panel);
    places[tab.name] = { button: own, panel };
  }
  return places;
}

// Says that the server cannot be reached, and when it can again.
function watchConnection({ backend, studio }) {
  const sign = document.querySelector("#offline");
  let waiting = false;
  studio.addEventListener("problem", async ({ error }) => {
    if (error.kind !== "offline" || waiting) return;
    waiting = true;
    sign.hidden = false;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      try {
        await backend.attributes();
        break;
      } catch {
        continue;
      }
    }
    waiting = false;
    sign.hidden = true;
    toast(text("online"));
  });
}

// Says how much of what drawing needs has arrived, where it comes to the visitor's browser.
function watchFiles({ backend }) {
  const sign = document.querySelector("#arriving");
  const megabytes = (bytes) => (bytes / 1e6).toFixed(0);
  backend.onBytes?.(({ done, total }) => {
    sign.hidden = done >= total;
    sign.textContent = text("arriving", { done: megabytes(done), total: megabytes(total) });
  });
}

// A file that is let go anywhere is opened.
function dropAnywhere(context, pictureTab) {
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => isFile(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    const inside = event.defaultPrevented && event.target.closest?.("[data-own-drop]");
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (inside || !file) return;
    context.go("picture");
    pictureTab().take(file);
  });
}

function keys(context) {
  const { studio } = context;
  const actions = {
    f: () => context.toggleFavourite(studio.chosen),
    d: () => context.download(studio.chosen),
    v: () => studio.chosen && studio.vary(studio.chosen),
    l: () => studio.chosen && copyLink(context, studio.chosen),
    z: () => studio.undo.undo(),
    Z: () => studio.undo.redo(),
    "?": () => openHelp(context),
  };
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.defaultPrevented || event.isComposing || event.altKey) return;
    if (target.closest("textarea, select, [contenteditable], canvas, .tab-sketch")) return;
    if (target.matches("input") && !["radio", "checkbox", "range"].includes(target.type)) return;
    const key = event.key.length === 1 && !event.shiftKey ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      if (key.toLowerCase() !== "z") return;
      event.preventDefault();
      return event.shiftKey ? studio.undo.redo() : studio.undo.undo();
    }
    if (document.querySelector("dialog.window[open]")) return;
    const create = document.body.dataset.tab === "create";
    if (key === "Enter" && create && target.matches(".controls input")) {
      event.preventDefault();
      return studio.draw();
    }
    if (actions[key] && (create || ["z", "Z", "?"].includes(key))) {
      event.preventDefault();
      actions[key]();
    }
  });
}

start();
