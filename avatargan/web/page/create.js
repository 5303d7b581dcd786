// The tab where characters are drawn: controls, gallery, the chosen picture.
import { button, h } from "./dom.js";
import { buildControls, drawButton } from "./controls.js";
import { buildDetail } from "./detail.js";
import { buildGallery } from "./gallery.js";
import { text } from "./language.js";

export default {
  name: "create",
  symbol: "sparkles",
  available: () => true,
  mount(element, context) {
    const controls = buildControls(context);
    const more = button({
      label: text("more_settings"), symbol: "sliders", class: "more-settings", "aria-expanded": "false",
      onclick: () => {
        const open = controls.classList.toggle("open");
        more.setAttribute("aria-expanded", String(open));
        if (open) controls.querySelector(".controls-more").scrollIntoView({ block: "nearest" });
      },
    });
    const left = h(
      "div",
      { class: "controls-column" },
      controls,
      h("div", { class: "draw-bar" }, more, drawButton(context)),
    );
    const detail = buildDetail(context);
    context.detail = detail;
    element.classList.add("studio");
    element.append(left, buildGallery(context), detail.column);
  },
};
