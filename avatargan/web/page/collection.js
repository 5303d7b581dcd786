// Favourites and history: everything here comes from this browser's storage.
import { colourOf } from "./colours.js";
import { button, h, icon, save, toast } from "./dom.js";
import { describe } from "./gallery.js";
import { attributeName, choiceName, problem, text } from "./language.js";
import { fileStem } from "./recipes.js";
import { MOST_PARENTS } from "./mix.js";
import { cleanTag } from "./store.js";
import { distinct, makeZip } from "./zip.js";

export default {
  name: "collection",
  symbol: "heart",
  available: () => true,
  mount(element, context) {
    const { store, studio, navigation } = context;
    const selected = new Set();
    let shelf = "favourites";
    let filter = {}; // attribute -> choice
    let tag = null;
    let words = "";
    let selecting = false;
    let working = null; // AbortController of a ZIP

    const shelves = h("div", { class: "segments", role: "tablist", "aria-label": text("collection_tab") });
    const tools = h("div", { class: "collection-tools" });
    const bar = h("div", { class: "selection-bar", role: "toolbar", "aria-label": text("selection") });
    const grid = h("ul", { class: "grid thumbnails", role: "list", "data-shelf": "" });
    const note = h("p", { class: "note" });
    element.append(
      h("div", { class: "page-head" }, h("h2", {}, text("collection_tab")), shelves, h("div", { class: "spacer" }), tools),
      h("div", { class: "filters" }),
      bar,
      grid,
      note,
      h("p", { class: "note faint" }, text("collection_note")),
    );
    const filters = element.querySelector(".filters");

    const entries = () => store.list(shelf);
    const shown = () =>
      entries().filter(
        (entry) =>
          Object.entries(filter).every(([name, choice]) => entry.recipe.attributes[name] === choice) &&
          (tag === null || entry.tags?.includes(tag)) &&
          (words === "" || `${entry.title ?? ""} ${(entry.tags ?? []).join(" ")} ${describe(entry.recipe)} ${entry.recipe.seed ?? ""}`.toLowerCase().includes(words)),
      );
    const picked = () => entries().filter((entry) => selected.has(entry.key));
    const wanted = () => (selected.size > 0 ? picked() : shown());

    function drawShelves() {
      shelves.replaceChildren(
        ...["favourites", "history"].map((name) =>
          h(
            "button",
            {
              type: "button", role: "tab", "aria-selected": String(shelf === name), "data-list": name,
              onclick: () => {
                shelf = name;
                selected.clear();
                tag = null;
                draw();
              },
            },
            text(name), " ", h("small", {}, String(store.list(name).length)),
          ),
        ),
      );
    }

    function drawTools() {
      const file = h("input", {
        type: "file", accept: ".json,application/json", class: "hidden", tabindex: "-1", "aria-hidden": "true",
        onchange: async () => {
          const [chosen] = file.files;
          file.value = "";
          if (!chosen) return;
          const added = chosen.size < 50e6 ? store.importText(await chosen.text()) : null;
          toast(added === null ? text("import_wrong") : text("import_done", { count: added }));
        },
      });
      tools.replaceChildren(
        entries().length > 0
          ? button({
              label: text(selecting ? "selection_end" : "select"), symbol: "check", class: "small", "data-select": true, "aria-pressed": String(selecting),
              onclick: () => {
                selecting = !selecting;
                selected.clear();
                draw();
              },
            })
          : "",
        button({ label: text("import"), symbol: "upload", class: "small", "data-import": true, onclick: () => file.click() }),
        button({
          label: text("export_file"), symbol: "download", class: "small", "data-backup": true,
          disabled: store.favourites.length + store.history.length === 0,
          onclick: () => save(new Blob([store.exportText()], { type: "application/json" }), "avatargan-collection.json"),
        }),
        file,
      );
    }

    function drawFilters() {
      const all = entries();
      const rows = [];
      if (all.length > 3) {
        rows.push(
          h("input", {
            type: "search", class: "search", placeholder: text("search"), "aria-label": text("search"), value: words,
            oninput: (event) => {
              words = event.target.value.trim().toLowerCase();
              drawGrid();
            },
          }),
        );
        for (const [name, { choices }] of Object.entries(context.facts.attributes)) {
          const present = choices.filter((choice) => all.some((entry) => entry.recipe.attributes[name] === choice));
          if (present.length < 2) continue;
          rows.push(
            h(
              "div",
              { class: "filter", role: "group", "aria-label": attributeName(name) },
              h("span", { class: "filter-name" }, attributeName(name)),
              present.map((choice) => {
                const colour = colourOf(choice);
                const on = filter[name] === choice;
                return h(
                  "button",
                  {
                    type: "button", class: colour ? "filter-dot" : "tag", "aria-pressed": String(on), title: choiceName(choice), "aria-label": choiceName(choice),
                    onclick: () => {
                      const { [name]: _, ...others } = filter;
                      filter = on ? others : { ...filter, [name]: choice };
                      draw();
                    },
                  },
                  colour ? h("span", { class: "dot", style: { "--dot": colour } }) : choiceName(choice),
                );
              }),
            ),
          );
        }
      }
      const tags = [...new Set(all.flatMap((entry) => entry.tags ?? []))].sort();
      if (tags.length > 0) {
        rows.push(
          h(
            "div",
            { class: "filter", role: "group", "aria-label": text("tags") },
            h("span", { class: "filter-name" }, text("tags")),
            tags.map((one) =>
              h("button", { type: "button", class: "tag", "aria-pressed": String(tag === one), onclick: () => ((tag = tag === one ? null : one), draw()) }, one),
            ),
          ),
        );
      }
      if (!filters.contains(document.activeElement) || document.activeElement.type !== "search") filters.replaceChildren(...rows);
    }

    function drawBar() {
      const count = selected.size > 0 ? selected.size : shown().length;
      const some = count > 0;
      const act = (label, symbol, run, data, enabled = some) =>
        button({ label, symbol, class: "small", disabled: !enabled, [data]: true, onclick: run });
      const parts = [
        h("span", { class: "selection-count" }, selected.size > 0 ? text("selected", { count: selected.size }) : text("all_of", { count })),
        working ? button({ label: text("cancel"), class: "small", onclick: () => working.abort() }) : act(text("zip"), "download", downloadAll, "data-zip"),
        act(text("to_morph"), "film", () => context.go("morph", { recipes: wanted().map((entry) => entry.recipe) }), "data-to-morph", selected.size > 1),
        act(text("to_export"), "box", () => context.go("export", { recipes: wanted().map((entry) => entry.recipe) }), "data-to-export"),
        context.backend.mix ? act(text("mix"), "brush", () => context.mix(picked()), "data-mix", selected.size >= 2 && selected.size <= MOST_PARENTS) : null,
        selected.size > 0 || shelf === "history" ? act(selected.size > 0 ? text("remove") : text("history_clear"), "trash", removeAll, "data-remove") : null,
        working ? h("span", { class: "working", role: "status" }) : null,
      ];
      bar.replaceChildren(...parts.filter(Boolean));
      bar.hidden = entries().length === 0;
      if (context.backend.mix && selecting && selected.size < 2) bar.append(h("span", { class: "faint" }, text("mix_hint")));
    }

    function removeAll() {
      const keys = selected.size > 0 ? [...selected] : entries().map((entry) => entry.key);
      const restore = store.remove(shelf, keys);
      const again = () => store.remove(shelf, keys);
      selected.clear();
      studio.undo.push({ undo: restore, redo: again });
      toast(text("removed", { count: keys.length }), { label: text("undo"), run: () => studio.undo.undo() });
      draw();
    }

    async function downloadAll() {
      const list = wanted();
      working = new AbortController();
      drawBar();
      const names = distinct(list.map((entry) => (entry.title ? entry.title.replace(/[^\p{L}\p{N}_ -]+/gu, "_") : fileStem(entry.recipe))));
      const files = [];
      let failure = null;
      for (const [index, entry] of list.entries()) {
        try {
          const drawn = await studio.drawOne(entry.recipe, { signal: working.signal });
          files.push({ name: `${names[index]}.png`, bytes: new Uint8Array(await drawn.png.arrayBuffer()) });
        } catch (error) {
          failure = error;
          if (working.signal.aborted || error.kind === "offline") break;
        }
        const status = bar.querySelector(".working");
        if (status) status.textContent = text("progress", { done: index + 1, total: list.length });
      }
      const cancelled = working.signal.aborted;
      working = null;
      drawBar();
      if (cancelled) return;
      if (files.length > 0) save(makeZip(files), "avatargan-collection.zip");
      if (failure) toast(files.length > 0 ? text("zip_skipped", { count: list.length - files.length }) : problem(failure));
    }

    function cell(entry) {
      const { recipe, key } = entry;
      const label = entry.title || describe(recipe);
      const on = selected.has(key);
      const open = h(
        "button",
        {
          type: "button", class: "picture", title: selecting ? label : `${text("open")} – ${label}`,
          ...(selecting ? { "aria-pressed": String(on) } : {}),
          onclick: () => (selecting ? select(key) : context.openEntry(entry)),
          onkeydown: (event) => shelf === "favourites" && event.altKey && moveBy(event, entry),
        },
        h("img", { src: entry.thumbnail, alt: text("alt", { words: label }), width: 128, height: 128, loading: "lazy", draggable: "false" }),
        selecting ? h("span", { class: "tick" }, on ? icon("check") : null) : null,
      );
      const caption =
        entry.title || entry.tags
          ? h("div", { class: "caption" }, entry.title ? h("span", {}, entry.title) : null, (entry.tags ?? []).map((one) => h("span", { class: "tag-label" }, one)))
          : null;
      const edits = selecting
        ? null
        : h(
            "div",
            { class: "cell-actions" },
            shelf === "favourites" ? button({ label: text("name_and_tags"), symbol: "tag", quiet: true, onclick: () => edit(entry) }) : null,
            button({ label: text("remove"), symbol: "close", quiet: true, class: "remove", onclick: () => removeOne(key) }),
          );
      const item = h(
        "li",
        { class: on ? "cell chosen" : "cell", "data-key": key, draggable: shelf === "favourites" && !selecting ? "true" : null },
        open, edits, caption,
      );
      if (shelf === "favourites" && !selecting) makeMovable(item, key);
      return item;
    }

    function select(key) {
      if (!selected.delete(key)) selected.add(key);
      draw();
      grid.querySelector(`[data-key="${CSS.escape(key)}"] .picture`)?.focus();
    }

    function removeOne(key) {
      const restore = store.remove(shelf, [key]);
      const from = shelf;
      studio.undo.push({ undo: restore, redo: () => store.remove(from, [key]) });
      toast(text("removed", { count: 1 }), { label: text("undo"), run: () => studio.undo.undo() });
    }

    function makeMovable(item, key) {
      item.addEventListener("dragstart", (event) => {
        event.dataTransfer.setData("text/x-avatargan-key", key);
        event.dataTransfer.effectAllowed = "move";
        item.classList.add("dragged");
      });
      item.addEventListener("dragend", () => item.classList.remove("dragged"));
      item.addEventListener("dragover", (event) => {
        if (!event.dataTransfer.types.includes("text/x-avatargan-key")) return;
        event.preventDefault();
        item.classList.add("drop-here");
      });
      item.addEventListener("dragleave", () => item.classList.remove("drop-here"));
      item.addEventListener("drop", (event) => {
        const moved = event.dataTransfer.getData("text/x-avatargan-key");
        if (!moved) return;
        event.preventDefault();
        event.stopPropagation();
        if (moved !== key) reorder(moved, key);
        else item.classList.remove("drop-here");
      });
    }

    // With the keyboard: Alt and an arrow.
    function moveBy(event, entry) {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const list = store.favourites;
      const place = list.findIndex((one) => one.key === entry.key);
      const before = step < 0 ? list[place - 1] : list[place + 2];
      if (step < 0 && place === 0) return;
      reorder(entry.key, before?.key ?? null);
      grid.querySelector(`[data-key="${CSS.escape(entry.key)}"] .picture`)?.focus();
    }

    function reorder(key, before) {
      const list = store.favourites;
      const former = list[list.findIndex((one) => one.key === key) + 1]?.key ?? null;
      store.move(key, before);
      studio.undo.push({ undo: () => store.move(key, former), redo: () => store.move(key, before) });
    }

    function edit(entry) {
      const name = h("input", { type: "text", maxlength: 80, value: entry.title ?? "", id: "entry-name" });
      const tags = h("input", { type: "text", maxlength: 200, value: (entry.tags ?? []).join(", "), id: "entry-tags", placeholder: text("tags_hint") });
      const put = () => {
        const list = tags.value.split(/[,、，]/).map(cleanTag).filter(Boolean);
        store.change(entry.key, { title: name.value, tags: list });
        navigation.close("entry");
      };
      context.dialog({
        name: "entry",
        title: text("name_and_tags"),
        content: h(
          "form",
          { class: "form", onsubmit: (event) => (event.preventDefault(), put()) },
          h("label", { for: "entry-name" }, text("name")), name,
          h("label", { for: "entry-tags" }, text("tags")), tags,
          h("div", { class: "row end" }, h("button", { type: "submit", class: "button primary" }, text("keep"))),
        ),
        opened: () => name.focus(),
      });
    }

    function drawGrid() {
      grid.dataset.shelf = shelf;
      const list = shown();
      grid.replaceChildren(...list.map(cell));
      note.textContent = list.length > 0 ? "" : text(entries().length > 0 ? "filter_empty" : `${shelf}_empty`);
      drawBar();
    }

    function draw() {
      if (entries().length === 0) selecting = false;
      drawShelves();
      drawTools();
      drawFilters();
      drawGrid();
    }

    store.addEventListener("change", () => working === null && draw());
    draw();
    return { shown: draw };
  },
};
