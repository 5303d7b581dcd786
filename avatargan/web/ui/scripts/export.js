// The Export tab: how files will be called, the progress of an export, and what came of it.
(() => {
  "use strict";
  const { h, icon, text, widget } = avatargan;

  widget("export_example", ({ host, props }) => () => {
    const { file, error } = props.value || {};
    const fields = props.fields.map((field) => `{${field}}`).join(" ");
    host.replaceChildren(
      error
        ? h("p", { class: "ag-verdict ag-bad", role: "alert" }, error)
        : h("p", { class: "ag-note", role: "status" }, `${text("example")} `, h("code", {}, file)),
      h("p", { class: "ag-note" }, `${text("export_fields")} `, h("code", {}, fields)),
    );
  });

  widget("exporter", ({ host, props, trigger }) => {
    const RESULTS = {
      busy: (value) => avatargan.progress(value, text("export_busy")),
      refused: ({ message }) => h("p", { class: "ag-verdict ag-bad", role: "alert" }, message),
      done: (value) =>
        h("p", { class: "ag-verdict ag-good", role: "status" }, text("export_done", value)),
    };

    function start() {
      draw({ status: "busy" }); // until the server has answered
      trigger("make");
    }

    function draw(value) {
      const busy = value?.status === "busy";
      host.replaceChildren(
        h(
          "button",
          {
            type: "button",
            class: "ag-button ag-strong",
            "data-export": true,
            disabled: busy,
            onclick: start,
          },
          icon("download"),
          text("export_make"),
        ),
        ...(value ? [RESULTS[value.status](value)] : []),
      );
    }

    return () => draw(props.value);
  });
})();
