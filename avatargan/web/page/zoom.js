// One picture as large as the window, or two side by side.
import { button, h, keepFocus } from "./dom.js";
import { describe } from "./gallery.js";
import { text } from "./language.js";

export function buildZoom(context) {
  const { studio, navigation } = context;
  const stage = h("div", { class: "zoom-stage" });
  const close = button({ label: text("close"), symbol: "close", quiet: true, onclick: () => navigation.close("zoom") });
  const previous = button({ label: text("previous"), symbol: "back", quiet: true, onclick: () => step(-1) });
  const next = button({ label: text("next"), symbol: "forward", quiet: true, onclick: () => step(1) });
  const dialog = h(
    "dialog",
    {
      class: "zoom", "aria-label": text("zoom"),
      oncancel: (event) => (event.preventDefault(), navigation.close("zoom")),
      onclick: (event) => (event.target === dialog || event.target === stage) && navigation.close("zoom"),
      onkeydown: (event) => {
        const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (move) (event.preventDefault(), event.stopPropagation(), step(move));
      },
    },
    h("div", { class: "zoom-head" }, previous, next, h("div", { class: "spacer" }), close),
    stage,
  );
  document.body.append(dialog);
  keepFocus(dialog);
  let beside = null;

  function step(by) {
    const neighbour = studio.neighbour(by);
    if (neighbour) studio.choose(neighbour);
  }

  function figure(picture) {
    const words = describe(picture.recipe);
    return h(
      "figure",
      {},
      h("img", { src: picture.url, alt: text("alt", { words }), class: picture.recipe.transparent ? "checkered" : null }),
      h("figcaption", {}, words),
    );
  }

  function draw() {
    if (!dialog.open || !studio.chosen) return;
    stage.classList.toggle("two", beside !== null);
    stage.replaceChildren(...[beside, studio.chosen].filter(Boolean).map(figure));
    previous.disabled = !studio.neighbour(-1);
    next.disabled = !studio.neighbour(1);
  }

  studio.addEventListener("choose", draw);
  studio.addEventListener("set", draw);

  // other: the picture that stays while arrows move through the set.
  return (other = null) => {
    beside = other;
    const opener = document.activeElement;
    dialog.showModal();
    draw();
    close.focus();
    navigation.open("zoom", () => {
      dialog.close();
      opener?.focus?.();
    });
  };
}
