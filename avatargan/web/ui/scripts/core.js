// The ground that the widgets stand on: registration, language, elements, selection, toasts.
window.avatargan = (() => {
  "use strict";

  const builders = {};
  const renderers = new Set();
  const listeners = {};
  const LANGUAGES = ["zh-CN", "ja", "ko", "en"];

  // A widget is a function from {host, props, trigger, server} to a function that draws it, which
  // is called now, when Python gives it another value, and when the language changes.
  function widget(name, build) {
    builders[name] = build;
  }

  function mount({ name, element, trigger, props, server, watch }) {
    const host = element.querySelector("[data-host]");
    const render = builders[name]({ host, props, trigger, server });
    if (!render) return;
    renderers.add({ host, render });
    watch("value", render);
    render();
  }

  function start() {
    const waiting = window.avatarganWidgets || [];
    window.avatarganWidgets = { push: mount };
    waiting.forEach(mount);
    nameErrors();
    new MutationObserver(renderAll).observe(document.documentElement, {
      attributes: true,
      attributeFilter: ["lang"],
    });
  }

  function renderAll() {
    nameErrors();
    for (const entry of renderers) {
      if (entry.host.isConnected) entry.render();
      else renderers.delete(entry);
    }
  }

  // Gradio heads every error with the English word; the style sheet shows this instead.
  function nameErrors() {
    const title = JSON.stringify(text("not_possible"));
    document.documentElement.style.setProperty("--ag-error-title", title);
  }

  // Gradio says on the document which language it chose.
  function language() {
    const tag = document.documentElement.lang || "en";
    return LANGUAGES.find((known) => known.split("-")[0] === tag.split("-")[0]) || "en";
  }

  function look(part, key) {
    const all = window.avatarganTranslations;
    return all[language()][part][key] ?? all.en[part][key];
  }

  function text(key, values = {}) {
    const found = look("interface", key) ?? key;
    return found.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  }

  // Weights may have names that no translation knows: those are shown as words.
  function asWords(name) {
    const words = String(name).replace(/[-_]+/g, " ");
    return words.charAt(0).toUpperCase() + words.slice(1);
  }

  const attributeName = (name) => look("attributes", name) ?? asWords(name);
  const choiceName = (name) => look("choices", name) ?? asWords(name);

  // h("button", {class: "x", onclick: f}, child, ...): texts are never parsed as HTML.
  function h(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "value" || name === "checked") node[name] = value;
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  }

  // Icons are paths of a 24 x 24 grid, drawn with a line.
  const ICONS = {
    heart: "M12 20s-7-4.4-9-9c-1.3-3.3.7-6.5 4-6.5 2 0 3.7 1.1 5 3 1.3-1.9 3-3 5-3 3.3 0 5.3 3.2 4 6.5-2 4.6-9 9-9 9z",
    download: "M12 4v11m0 0l-4.5-4.500M12 15l4.5-4.500M5 20h14",
    close: "M6 6l12 12M18 6L6 18",
    back: "M15 5l-7 7 7 7",
    sliders: "M4 7h10m4 0h2M4 17h2m4 0h10M14 7a2 2 0 104 0 2 2 0 10-4 0zM6 17a2 2 0 104 0 2 2 0 10-4 0z",
    lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 017 0v3",
    unlock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 016.5-1.8",
    dice: "M5 5h14v14H5zM9 9h.010M15 9h.010M12 12h.010M9 15h.010M15 15h.010",
    sparkles: "M12 4l1.8 5.200L19 11l-5.2 1.800L12 18l-1.8-5.200L5 11l5.2-1.800zM19 16v4M17 18h4",
    upload: "M12 16V5m0 0L7.5 9.500M12 5l4.5 4.500M5 20h14",
    sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.400M17.6 17.600L19 19M5 19l1.4-1.400M17.6 6.400L19 5",
    moon: "M20 14.500A8 8 0 119.5 4a6.5 6.5 0 0010.5 10.500z",
    chevron: "M6 9l6 6 6-6",
    trash: "M5 7h14M10 7V5h4v2M7 7l1 13h8l1-13",
  };

  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("class", "ag-icon");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
    return svg;
  }

  // A slider with words at its ends.
  function range(input, low, high) {
    const end = (key) => (key ? h("span", { "aria-hidden": "true" }, text(key)) : null);
    return h("div", { class: "ag-range" }, end(low), input, end(high));
  }

  // A switch with its name; listener gets whether it is on.
  function toggle(key, checked, listener) {
    const input = h("input", {
      type: "checkbox",
      role: "switch",
      checked,
      onchange: () => listener(input.checked),
    });
    return h(
      "label",
      { class: "ag-switch" },
      h("span", {}, text(key)),
      input,
      h("span", { class: "ag-knob", "aria-hidden": "true" }),
    );
  }

  // How far long work is; without a total it only says that it is not finished.
  function progress({ done, total }, label) {
    const bar = h("progress", { class: "ag-progress", "aria-label": label });
    if (total) {
      bar.max = total;
      bar.value = done;
    }
    const words = total ? text("zip_busy", { done, total }) : label;
    return h("div", { class: "ag-progress-row", role: "status" }, bar, h("span", {}, words));
  }

  function on(event, listener) {
    (listeners[event] ||= []).push(listener);
  }

  function emit(event, data) {
    for (const listener of listeners[event] || []) listener(data);
  }

  let chosen = null;

  // byHand tells the visitor's own choice from the app's: only the former opens the sheet that
  // covers a phone's screen.
  function choose(card, byHand) {
    chosen = card;
    emit("choose", { card, byHand });
  }

  function describe(card) {
    return Object.entries(card.attributes)
      .map(([name, choice]) => `${attributeName(name)} ${choiceName(choice)}`)
      .join(", ");
  }

  let toastTimer;

  function toast(message) {
    let box = document.querySelector(".ag-toast");
    if (!box) {
      box = h("div", { class: "ag-toast", role: "status" });
      document.body.append(box);
    }
    box.textContent = message;
    box.classList.add("shown");
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => box.classList.remove("shown"), 3200);
  }

  // Asks a server function for a picture's file: its bytes, or what went wrong.
  async function fetchPng(ask, recipe) {
    let answer;
    try {
      answer = await ask(recipe);
    } catch {
      answer = { error: text("failed") };
    }
    if (!answer || !answer.png) return { error: (answer && answer.error) || text("failed") };
    return { bytes: Uint8Array.from(atob(answer.png), (character) => character.charCodeAt(0)) };
  }

  function save(blob, name) {
    const link = h("a", { href: URL.createObjectURL(blob), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  return {
    widget,
    start,
    text,
    attributeName,
    choiceName,
    h,
    icon,
    range,
    toggle,
    progress,
    on,
    emit,
    choose,
    chosen: () => chosen,
    describe,
    toast,
    fetchPng,
    save,
  };
})();
