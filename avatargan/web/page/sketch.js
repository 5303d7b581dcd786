// Lines drawn by hand become characters, where the backend can do that.
import { h } from "./dom.js";
import { attributeName, choiceName, problem, text } from "./language.js";

export default {
  name: "sketch",
  symbol: "brush",
  available: ({ backend }) => Boolean(backend.sketch),
  mount(element, context) {
    let board = null;
    return {
      // The board is loaded when somebody wants it.
      async shown() {
        if (board) return;
        try {
          const { mountBoard } = await import("./board/board.js");
          board = mountBoard(element, {
            backend: context.backend,
            facts: context.facts,
            translate: text,
            labelOf: (attribute, choice) => (choice === undefined ? attributeName(attribute) : choiceName(choice)),
            onResult: (pictures) => {
              const set = context.studio.openPictures([pictures].flat(), "sketch_result_title");
              context.addFavourite(set.pictures[0]);
              context.go("create");
            },
          });
        } catch (error) {
          element.replaceChildren(h("p", { class: "verdict bad", role: "alert" }, problem(error)));
        }
      },
    };
  },
};
