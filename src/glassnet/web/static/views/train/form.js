// The fields of a run's settings, built from what the server says there is to set. An empty field is left to the recipe.

import { h } from "../../shared/dom.js";

const OPEN = ["Network", "Optimization"]; // sections of which the usual settings are seen at once
const USUAL = ["hidden", "layers", "activation", "optimizer", "learning_rate", "batch_size", "epochs"];
const RECIPE = "from the recipe";

const spoken = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");
const written = (value) => (value == null ? "off" : [value].flat().map(String).join(", "));

// One setting: its label, its control, what it means, and the place for what is wrong with it.
function field(name, { description, choices, type }, value) {
  const id = `setting-${name}`;
  const help = h("small", { id: `${id}-help`, class: "soft" }, description);
  const wrong = h("small", { id: `${id}-wrong`, class: "wrong", role: "alert" });
  const shared = { id, name, "aria-describedby": `${id}-help ${id}-wrong` };
  const names = type === "boolean" ? ["true", "false"] : choices;
  let control;
  if (names) {
    const own = names.includes(value) || !value ? [] : [value]; // such as a list of activations, which only a link gives
    control = h("select", shared, h("option", { value: "" }, RECIPE), [...names, ...own].map((choice) => h("option", { value: choice }, choice)));
  } else {
    const digits = type === "integer" ? "numeric" : type === "number" ? "decimal" : null;
    control = h("input", { ...shared, type: "text", inputmode: digits, autocomplete: "off", spellcheck: "false" });
  }
  control.value = value ?? "";
  return {
    control, help, type,
    element: h("div", { class: "field" }, h("label", { for: id }, spoken(name)), control, help, wrong),
    // What holds while the field is empty.
    suggest(resolved) {
      if (!names) control.placeholder = written(resolved);
      else control.options[0].textContent = control.value ? RECIPE : `${written(resolved)} (${RECIPE})`;
    },
    complain(line) {
      wrong.textContent = line;
      if (line) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
      if (line) control.closest("details")?.setAttribute("open", "");
    },
  };
}

// The form as a whole. given: URLSearchParams; changed(): called when a person changes something.
export function settingsForm(options, given, changed) {
  const data = Object.fromEntries(options.data.map((source) => [source.name, source]));
  const recipes = Object.fromEntries(options.recipes.map((recipe) => [recipe.name, recipe]));
  const fields = {
    data: field("data", { description: "", choices: Object.keys(data) }, given.get("data")),
    recipe: field("recipe", { description: "", choices: Object.keys(recipes) }, given.get("recipe")),
  };
  for (const [name, setting] of Object.entries(options.settings)) fields[name] = field(name, setting, given.get(name));
  fields.data.control.options[0].remove();
  // What a link names and is not here stays visible, so that nothing else is trained in its place.
  const known = { data, recipe: recipes };
  for (const [name, there] of Object.entries(known)) {
    const asked = given.get(name);
    if (asked && !there[asked]) fields[name].control.append(h("option", { value: asked }, `${asked} (not here)`));
  }
  fields.data.control.value = given.get("data") ?? "digits";
  fields.recipe.control.value = given.get("recipe") ?? "";

  const asWritten = h("input", { type: "checkbox", id: "as-written" });
  asWritten.checked = given.get("as_written") === "true";
  const notebook = h("label", { class: "row", for: "as-written" }, asWritten, "As written, with the notebook's own mistakes");
  const general = h("p", { class: "wrong", role: "alert" });

  const grid = (names) => h("div", { class: "fields" }, names.map((name) => fields[name].element));
  const folded = (title, names) => {
    const open = names.some((name) => fields[name].control.value);
    return h("details", { open }, h("summary", {}, title), grid(names));
  };
  const sections = Object.groupBy(Object.keys(options.settings), (name) => options.settings[name].section);
  const usual = (is) => (name) => USUAL.includes(name) === is;
  const element = h("div", { class: "settings" },
    grid(["data", "recipe"]), notebook,
    Object.entries(sections).sort(([a], [b]) => OPEN.includes(b) - OPEN.includes(a)).map(([section, names]) => (OPEN.includes(section)
      ? h("section", {}, h("h3", {}, section), grid(USUAL.filter((name) => names.includes(name))), folded("More", names.filter(usual(false))))
      : h("section", {}, folded(section, names)))),
    general);

  const absent = (name) => ({ name: fields[name].control.value, source: fields[name].control.value, classes: [], recipe: "default", summary: "" });
  const source = () => data[fields.data.control.value] ?? absent("data");
  const recipe = () => recipes[fields.recipe.control.value || source().recipe] ?? absent("recipe");
  const chosen = () => Object.keys(options.settings).map((name) => [name, fields[name].control.value.trim()]).filter(([, value]) => value);
  const between = (name) => (name === "layers" ? /\s*,\s*/ : /[\s,]+/); // a layer is several words, such as "conv 32 5x5"
  const parts = (name, value) => (fields[name].type === "array" ? value.split(between(name)).filter(Boolean) : [value]);

  function explain() {
    fields.data.help.textContent = source().classes.length ? `${source().classes.length} classes: ${source().classes.join(", ")}.` : "";
    fields.recipe.control.options[0].textContent = `${source().recipe} (suits these data)`;
    fields.recipe.help.textContent = recipe().summary;
    notebook.hidden = !recipe().as_written;
  }
  element.addEventListener("input", () => {
    explain();
    changed();
  });
  explain();

  const asNotebook = () => asWritten.checked && recipe().as_written;
  return {
    element,
    // As the address keeps it.
    address() {
      const kept = new URLSearchParams({ data: source().name, recipe: recipe().name });
      if (asNotebook()) kept.set("as_written", "true");
      for (const [name, value] of chosen()) kept.set(name, parts(name, value).join(","));
      return kept;
    },
    // As the server takes it.
    order() {
      const settings = chosen().map(([name, value]) => [name, fields[name].type === "array" ? parts(name, value) : value]);
      return { data: source().name, recipe: recipe().name, as_written: asNotebook(), settings: Object.fromEntries(settings) };
    },
    // As the shell takes it.
    command() {
      const words = ["glassnet", "train", source().source, "--recipe", recipe().name];
      if (asNotebook()) words.push("--as-written");
      for (const [name, value] of chosen()) {
        const flag = name.replaceAll("_", "-");
        if (fields[name].type === "boolean") words.push(value === "true" ? `--${flag}` : `--no-${flag}`);
        else words.push(`--${flag}`, ...parts(name, value));
      }
      return words.map(quoted).join(" ");
    },
    suggest(resolved) {
      for (const [name, value] of Object.entries(resolved)) fields[name].suggest(value);
    },
    // Each line of the server's goes to the field that it names, and without a line all is well.
    complain(...lines) {
      const of = (known) => lines.find((line) => line.startsWith(`${known}:`));
      for (const [known, { complain }] of Object.entries(fields)) complain(of(known)?.slice(known.length + 2) ?? "");
      general.textContent = lines.filter((line) => !Object.keys(fields).some((known) => line.startsWith(`${known}:`))).join(" ");
    },
  };
}

export const quoted = (word) => (/^[\w.,/:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
