import { get, post } from "../../shared/api.js";
import { contest } from "./contest.js";
import { h } from "../../shared/dom.js";
import { clear, notice } from "../../shared/notice.js";

// The circumstances that a person may change; the rest stays as the mistake needs it to show.
const FIELDS = {
  hidden: ["hidden units", { type: "text", placeholder: "none", title: "Units of each hidden layer, from the input up, such as 64, 32" }],
  learning_rate: ["learning rate", { type: "number", min: 0, step: "any" }],
  batch_size: ["batch size", { type: "number", min: 1 }],
  epochs: ["epochs", { type: "number", min: 1, title: "Passes through the training images" }],
  from: ["mistake from epoch", { type: "number", min: 1, placeholder: "the start", title: "The epoch after which the mistake is switched on; until then both runs are the same" }],
  seed: ["seed", { type: "number", min: 0, title: "Of the split, the initial weights and the order of images: the same in both runs" }],
};

const title = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("-", " ");
const shown = (value) => (Array.isArray(value) ? value.join(", ") || "none" : typeof value === "number" ? Number(value.toPrecision(3)) : value);
const read = (name, text) => (name === "hidden" ? text.split(/[^0-9.]+/).filter(Boolean).map(Number) : Number(text));
const SETTINGS = Object.keys(FIELDS).filter((name) => name !== "from");

let kept = ""; // the address when one left, with the runs that may still go

export async function mount(root, settings) {
  if (!settings.size && kept) {
    settings = new URLSearchParams(kept);
    history.replaceState(null, "", `#clinic?${kept}`);
  }
  const mistakes = await get("/api/mistakes");
  const known = mistakes.find(({ name }) => name === settings.get("mistake"));
  let mistake = known ?? mistakes[0];
  const unknown = h("p", { role: "alert", hidden: Boolean(known) || !settings.has("mistake") },
    `There is no mistake called ${settings.get("mistake")}. Choose one; the first is shown.`);
  const pair = contest();
  const choice = h("select", { onchange: choose }, mistakes.map(({ name }) => h("option", { value: name }, title(name))));
  const words = h("div", { class: "words" });
  const inputs = Object.fromEntries(Object.entries(FIELDS).map(([name, [, how]]) => [name, h("input", { ...how, onchange: () => remember() })]));
  const others = h("p", { class: "soft small" });
  const start = h("button", { class: "main", onclick: run }, "Run both");
  const stop = h("button", { onclick: halt }, "Stop");

  root.append(
    h("h1", {}, "Clinic"),
    h("p", { class: "lede" }, "A common mistake in hand-written networks, in one run, beside a run without it. Both train on the same digits from the same initial weights; only the mistake differs."),
    h("div", { class: "columns" },
      h("section", { class: "card", "aria-label": "The mistake" }, h("label", {}, "the mistake", choice), unknown, words),
      h("section", { class: "card", "aria-label": "The runs" },
        h("h2", {}, "Settings"),
        h("div", { class: "fields" }, Object.entries(inputs).map(([name, input]) => h("label", {}, FIELDS[name][0], input))),
        others, h("div", { class: "row" }, start, stop))),
    pair.element);

  function describe() {
    choice.value = mistake.name;
    const equation = (side, mark) => h("div", { class: side }, h("p", { class: "small" }, mark), h("pre", { class: "scroll", tabindex: 0 }, mistake[side].replaceAll(/ {4,}/g, "\n")));
    words.replaceChildren(
      h("p", {}, mistake.summary), h("div", { class: "equations" }, equation("wrong", "✗ wrong"), equation("right", "✓ right")),
      h("h2", {}, "What it does"), h("p", {}, mistake.effect), h("h2", {}, "What to look for"), h("p", {}, mistake.symptom),
      h("h2", {}, "What catches it"), h("p", {}, mistake.check[0].toUpperCase() + mistake.check.slice(1)),
      h("p", { class: "soft small" }, `Page ${Number(mistake.tutorial.slice(0, 2))} of the tutorial has the right equation: `, h("code", {}, `docs/tutorial/${mistake.tutorial}.md`), ", or, after ", h("code", {}, "make docs"), ", ", h("code", {}, `build/docs/tutorial/${mistake.tutorial}.html`), "."));
    const rest = Object.entries(mistake.settings).filter(([name]) => !(name in FIELDS) && name !== "validation");
    others.textContent = `Also: 8×8 digits, ${rest.map(([name, value]) => `${name.replaceAll("_", " ")} ${shown(value)}`).join(", ")}; `
      + `${Math.round(100 * mistake.settings.validation)} % of the training images are held out.`;
  }

  function fill(given) {
    for (const [name, input] of Object.entries(inputs)) {
      const own = mistake.settings[name] ?? "";
      input.value = given.get(name) ?? (Array.isArray(own) ? own.join(", ") : own);
    }
    inputs.hidden.disabled = !("hidden" in mistake.settings); // a mistake of convolutions has other layers
    inputs.from.disabled = mistake.from_the_start;
    if (mistake.from_the_start) inputs.from.value = "";
  }

  function choose() {
    mistake = mistakes.find(({ name }) => name === choice.value);
    unknown.hidden = true;
    pair.hide();
    describe();
    fill(new URLSearchParams(inputs.from.value && { from: inputs.from.value }));
    remember();
  }

  const changeable = () => SETTINGS.filter((name) => !inputs[name].disabled);

  function remember(runs = {}) {
    const query = new URLSearchParams({ mistake: mistake.name });
    for (const name of changeable()) {
      if (String(read(name, inputs[name].value)) !== String(mistake.settings[name])) query.set(name, inputs[name].value);
    }
    if (inputs.from.value) query.set("from", inputs.from.value);
    for (const [side, name] of Object.entries(runs)) query.set(side, name);
    kept = String(query);
    history.replaceState(null, "", `#clinic?${kept}`);
  }

  let halted = false; // whether Stop was pressed while the pair starts

  async function run() {
    start.disabled = true;
    halted = false;
    clear();
    pair.hide();
    const begun = {};
    try {
      const asked = Object.fromEntries(changeable().map((name) => [name, read(name, inputs[name].value)]));
      const later = inputs.from.value ? Number(inputs.from.value) : null;
      const both = await post("/api/clinic/pair", { mistake: mistake.name, settings: asked, mistakes_from: later });
      for (const side of ["planted", "cured"]) {
        if (!halted) begun[side] = (await post("/api/runs", both[side])).name;
      }
      if (halted) {
        await end(Object.values(begun));
        notice("Stopped while the pair was starting.");
        return;
      }
      remember(begun);
      await pair.begin(begun);
    } catch (error) {
      notice(error.message.replace("mistakes_from:", `${FIELDS.from[0]}:`));
      if (begun.planted && !begun.cured) await post(`/api/runs/${encodeURIComponent(begun.planted)}/stop`).catch(() => {});
    } finally {
      start.disabled = false;
    }
  }

  const end = (names) => Promise.all(names.map((name) => post(`/api/runs/${encodeURIComponent(name)}/stop`))).catch((error) => notice(error.message));

  async function halt() {
    halted = start.disabled; // then `run` ends them once they have begun
    if (!halted) await end(pair.names());
  }

  describe();
  fill(settings);
  if (settings.has("planted") && settings.has("cured")) pair.begin({ planted: settings.get("planted"), cured: settings.get("cured") });
  return () => pair.close();
}
