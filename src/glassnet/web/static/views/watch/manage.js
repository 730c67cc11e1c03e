// A run gets another name, or is deleted once a person has said so.

import { post, remove } from "../../shared/api.js";
import { h } from "../../shared/dom.js";
import { notice } from "../../shared/notice.js";

// renamed(name): it is called so now. A run that is deleted is missed by whoever watches it.
export function managing(name, renamed) {
  const path = `/api/runs/${encodeURIComponent(name)}`;
  const rename = h("button", { type: "button", class: "quiet", onclick: () => ask("rename") }, "Rename");
  const erase = h("button", { type: "button", class: "quiet", onclick: () => ask("delete") }, "Delete");
  const element = h("div", { class: "row manage" }, rename, erase);

  function ask(what) {
    const field = h("input", { value: name, "aria-label": "New name", maxlength: 100, autocomplete: "off", spellcheck: "false" });
    const wrong = h("p", { class: "wrong", role: "alert" });
    const deleting = what === "delete";
    const form = h("form", { method: "dialog", onsubmit: act },
      h("h2", {}, deleting ? "Delete this run?" : "Rename this run"),
      deleting ? h("p", {}, `The folder of ${name} is deleted with all that is in it: its network, its curves and its snapshots. That cannot be undone.`) : field,
      wrong,
      h("div", { class: "row" }, h("button", { class: "main" }, deleting ? "Delete" : "Rename"), h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
    const dialog = h("dialog", { "aria-label": deleting ? "Delete this run?" : "Rename this run", onclose: () => dialog.remove() }, form);

    async function act(event) {
      event.preventDefault();
      try {
        if (deleting) await remove(path);
        else renamed((await post(`${path}/rename`, { to: field.value })).name);
        dialog.close();
        notice(deleting ? `${name} was deleted.` : "Renamed.");
      } catch (error) {
        wrong.textContent = error.message;
      }
    }

    element.append(dialog);
    dialog.showModal();
    field.select();
  }

  return {
    element,
    // A run that goes keeps its name and its folder.
    update({ state }) {
      for (const button of [rename, erase]) button.hidden = state === "running" || state === "paused";
    },
  };
}
