// What is asked for a comparison: the music, the recipes that are trained on it, and how long each.
import { api, type Job } from "../api";
import { fill, h } from "../dom";
import { attempt } from "../messages";
import { store } from "../store";
import { said, t } from "../texts";
import { field } from "../train/form";
import { minutesField } from "../train/minutes";

const AT_FIRST = ["nested", "lstm", "markov"];

export function compareForm(begun: (job: Job) => void): { element: HTMLElement; refresh: () => void } {
  const chosen = new Set(AT_FIRST);
  const corpus = h("select", { id: "compare-corpus", required: true });
  const minutes = minutesField("compare-minutes", 3, t("compare.minutes"));
  const recipes = h("ul", { class: "plain choose", tabindex: 0, "aria-label": t("compare.recipes") });
  const begin = h("button", { class: "primary", type: "submit" }, t("compare.start"));
  const estimate = h("p", { class: "muted", role: "status", "aria-live": "polite" });

  const mark = (): void => {
    begin.disabled = chosen.size === 0 || corpus.value === "";
    fill(estimate, t("compare.takes", { n: chosen.size, minutes: Math.ceil(chosen.size * (minutes.value() || 0)) }));
  };
  const start = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!minutes.valid()) return;
    begin.disabled = true;
    const job = await attempt(api.start("compare", {
      corpus: corpus.value, recipes: store.recipes.map((one) => one.name).filter((name) => chosen.has(name)), minutes: minutes.value(),
    }));
    mark();
    if (job) begun(job);
  };
  const element = h("form", { class: "panel columns", onsubmit: (event: Event) => void start(event), oninput: mark },
    h("fieldset", { class: "stack" }, h("legend", {}, t("compare.recipes")), recipes),
    h("div", { class: "stack" },
      field("compare-corpus", t("train.corpus"), corpus), minutes.element, estimate, h("div", { class: "row" }, begin)));

  const refresh = (): void => {
    const before = corpus.value;
    fill(corpus, [...store.corpora.values()].sort((a, b) => b.made - a.made).map((one) => h("option", { value: one.id }, one.name)));
    if (store.corpora.has(before)) corpus.value = before;
    if (recipes.childElementCount !== store.recipes.length) {
      const first = (name: string): number => Number(!AT_FIRST.includes(name));
      const sorted = [...store.recipes].sort((a, b) => first(a.name) - first(b.name));
      fill(recipes, sorted.map((recipe) => h("li", {}, h("label", { class: "row" },
        h("input", {
          type: "checkbox", id: `compare-${recipe.name}`, checked: chosen.has(recipe.name), onchange: () => {
            if (!chosen.delete(recipe.name)) chosen.add(recipe.name);
            mark();
          },
        }),
        h("span", {}, h("strong", {}, recipe.name), " ", h("small", { class: "muted" }, said(recipe.about)))))));
    }
    mark();
  };
  refresh();
  return { element, refresh };
}
