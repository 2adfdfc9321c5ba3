// Asks for a key, where the service wants one.

import { byId, el } from "./elements.js";
import { keepKey, key } from "./service.js";

/** Ask; `done()` is called once there is one to try. */
export function askForKey(reason, done) {
  const dialog = byId("key");
  if (dialog.open) return;
  const input = el("input", { type: "password", autocomplete: "off", value: key(), required: true, id: "key-input" });
  dialog.replaceChildren(
    el("h2", { id: "key-name" }, "A key is needed"),
    el("p", { role: "alert" }, reason),
    el("form", {
      onsubmit: (event) => {
        event.preventDefault();
        keepKey(input.value.trim());
        dialog.close();
        done();
      },
    }, el("label", { for: "key-input" }, "Key"), input, el("button", { class: "strong" }, "Use it")),
    el("p", { class: "small" }, "It is kept until this tab is closed. Keys are made with ", el("code", {}, "nearfield keys create"), "."));
  dialog.showModal();
  input.focus();
}
