// What a new run learns from, how, and how long.
import { api, type Recipe } from "../api";
import { fill, h } from "../dom";
import { attempt, forgive, tell } from "../messages";
import { store } from "../store";
import { modelNamed, said, t } from "../texts";
import { minutesField } from "./minutes";
import { SettingsForm } from "./settings";

const FIRST = ["nested", "lstm"]; // recipes that are shown without asking; the first is recommended
const COMES_ALONG = "shipped"; // the id of the model that comes along, which is always there
const FROM_A_MODEL = ":model"; // no recipe has such a name

const last = { corpus: "", recipe: "nested", minutes: 5 }; // as they were chosen before one looked at another page

export class TrainForm {
  private readonly corpus = h("select", { id: "train-corpus", required: true, onchange: () => this.changed() });
  private readonly name = h("input", { id: "train-name", type: "text", maxlength: 120, autocomplete: "off" });
  private readonly minutes = minutesField("train-minutes", last.minutes);
  private readonly model = h("select", {
    id: "train-model",
    onchange: () => {
      this.showSettings();
      this.changed();
    },
  });
  private readonly modelField = field("train-model", t("train.model"), this.model);
  private readonly heard = h("input", { id: "train-heard", type: "checkbox", checked: true });
  private readonly cards = h("div", { class: "cards" });
  private readonly more = h("details", { class: "all-recipes" });
  private readonly settings = new SettingsForm();
  private readonly begin = h("button", { class: "primary", type: "submit" }, t("train.start"));
  private readonly hint = h("p", { class: "hint" });
  private chosen = last.recipe;
  private drawn = "";

  readonly element = h("form", { class: "panel train-form", "aria-label": t("train.new"), onsubmit: (event: Event) => void this.start(event) },
    h("div", { class: "stack" },
      field("train-corpus", t("train.corpus"), this.corpus), this.hint,
      field("train-name", t("train.name"), this.name),
      this.minutes.element,
      h("label", { class: "check", for: "train-heard" }, this.heard, t("train.heard")),
      h("div", { class: "row" }, this.begin)),
    h("fieldset", { class: "stack" }, h("legend", {}, t("train.recipe")), this.cards, this.modelField, this.more, this.settings.element));

  constructor(private readonly wanted: string | null) {
    this.refresh();
    this.showSettings();
  }

  /** Draw anew what depends on the corpora, recipes and models that there are; what is chosen stays. */
  refresh(): void {
    const { corpora, recipes, models } = store;
    const now = JSON.stringify([[...corpora.values()].map((one) => [one.id, one.name, one.pieces]), recipes.length, models.map((one) => one.id)]);
    if (now === this.drawn) return;
    this.drawn = now;
    const chosen = this.corpus.value || this.wanted || last.corpus;
    const known = [...corpora.values()].sort((a, b) => b.made - a.made);
    fill(this.corpus, known.map((one) => h("option", { value: one.id, disabled: one.pieces === 0 },
      one.pieces === null ? one.name : t("train.corpusPieces", { name: one.name, n: one.pieces }))));
    if (chosen && corpora.has(chosen)) this.corpus.value = chosen;
    const before = this.model.value;
    fill(this.model, models.map((one) => h("option", { value: one.id, disabled: Boolean(one.modes.train) }, modelNamed(one.name))));
    if (models.some((one) => one.id === before)) this.model.value = before;
    this.drawCards(recipes);
    this.changed();
  }

  private drawCards(recipes: Recipe[]): void {
    const first = FIRST.flatMap((name) => recipes.filter((recipe) => recipe.name === name));
    const others = recipes.filter((recipe) => !FIRST.includes(recipe.name));
    fill(this.cards, first.map((recipe) => this.card(recipe, recipe.name === FIRST[0])),
      store.models.length > 0 && h("div", { class: "card" },
        this.radio(FROM_A_MODEL),
        h("label", { for: `recipe-${FROM_A_MODEL}` }, h("strong", {}, t("train.fromModel")), h("span", {}, t("train.fromModelHelp")))));
    this.more.hidden = others.length === 0;
    const open = this.more.open;
    fill(this.more, h("summary", {}, t("train.allRecipes", { n: others.length })),
      h("div", { class: "cards" }, others.map((recipe) => this.card(recipe, false))));
    this.more.open = open;
  }

  private card(recipe: Recipe, recommended: boolean): HTMLElement {
    return h("div", { class: "card" },
      this.radio(recipe.name),
      h("label", { for: `recipe-${recipe.name}` },
        h("span", { class: "row" }, h("strong", {}, recipe.name), recommended && h("span", { class: "badge good" }, t("train.recommended"))),
        h("span", {}, said(recipe.about))));
  }

  private radio(value: string): HTMLElement {
    return h("input", {
      type: "radio", name: "recipe", id: `recipe-${value}`, value, checked: this.chosen === value, onchange: () => this.choose(value),
    });
  }

  private choose(value: string): void {
    this.chosen = last.recipe = value;
    const radio = document.getElementById(`recipe-${value}`) as HTMLInputElement | null;
    if (radio) radio.checked = true;
    this.showSettings();
    this.changed();
  }

  private showSettings(): void {
    void this.settings.load(this.chosen === FROM_A_MODEL ? api.model(this.model.value || COMES_ALONG) : api.recipe(this.chosen));
  }

  private changed(): void {
    last.corpus = this.corpus.value;
    const corpus = store.corpora.get(this.corpus.value);
    this.begin.disabled = !corpus;
    this.modelField.hidden = this.chosen !== FROM_A_MODEL;
    this.name.placeholder = corpus ? this.standardName() : "";
    fill(this.hint, !corpus && store.loaded ? [t("train.noCorpus"), " ", h("a", { href: "#/corpus" }, t("train.toCorpus"))]
      : corpus && corpus.pieces !== null && corpus.pieces < 20 ? t("train.few") : null);
    this.hint.hidden = !this.hint.firstChild;
  }

  private standardName(): string {
    const corpus = store.corpora.get(this.corpus.value)?.name ?? "";
    const model = modelNamed(store.models.find((one) => one.id === this.model.value)?.name ?? "");
    return `${corpus}, ${this.chosen === FROM_A_MODEL ? model : this.chosen}`;
  }

  private async start(event: Event): Promise<void> {
    event.preventDefault();
    const settings = this.settings.changed();
    if (settings === null || !this.minutes.valid()) return;
    this.begin.disabled = true;
    last.minutes = this.minutes.value();
    forgive();
    const job = await attempt(api.start("train", {
      corpus: this.corpus.value,
      ...(this.chosen === FROM_A_MODEL ? { model: this.model.value } : { recipe: this.chosen }),
      minutes: this.minutes.value(),
      heard: this.heard.checked,
      settings,
      name: this.name.value.trim() || this.standardName(),
    }));
    this.begin.disabled = false;
    if (!job) return;
    store.takeJob(job);
    this.name.value = "";
    tell(t("train.started", { name: job.label }));
    document.getElementById("runs")?.scrollIntoView({ behavior: "smooth" });
  }
}

export function field(id: string, label: string, ...controls: HTMLElement[]): HTMLElement {
  return h("div", { class: "field" }, h("label", { for: id }, label), ...controls);
}
