import { get } from "../../shared/api.js";
import { h } from "../../shared/dom.js";
import { mountMistakes } from "./mistakes.js";
import { mountQuiz } from "./quiz.js";

const KINDS = { mistakes: ["A mistake and its cure", "#clinic"], quiz: ["Quiz: which mistake is it?", "#clinic?show=quiz"] };

export async function mount(root, settings, keep) {
  const kind = settings.get("show") === "quiz" ? "quiz" : "mistakes";
  root.append(
    h("div", { class: "row head" }, h("h1", {}, "Clinic"), h("nav", { class: "row toggle", "aria-label": "Clinic or quiz" }, Object.entries(KINDS).map(([name, [words, href]]) =>
      h("a", { class: "button", href, "aria-current": name === kind && "true" }, words)))));
  return (kind === "quiz" ? mountQuiz : mountMistakes)(root, settings, keep, await get("/api/mistakes"));
}
