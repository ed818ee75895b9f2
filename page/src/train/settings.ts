// Every setting of a recipe as a form; only what was changed is sent.
import type { RecipeForm, Setting } from "../api";
import { fill, h } from "../dom";
import { attempt } from "../messages";
import { joined, named, said, settingNamed, t } from "../texts";

type Control = HTMLInputElement | HTMLSelectElement;

export class SettingsForm {
  private readonly fields = h("div", { class: "stack" });
  private readonly controls = new Map<Setting, Control>();
  private readonly changes = h("span", { class: "muted" });
  readonly element = h("details", { class: "more-settings", hidden: true },
    h("summary", {}, t("settings.more"), " ", this.changes), this.fields);
  private asked = 0;

  /** Show the settings of a recipe, or of a model to go on from. */
  async load(asked: Promise<RecipeForm>): Promise<void> {
    const mine = ++this.asked;
    const form = await attempt(asked);
    if (mine !== this.asked) return;
    this.controls.clear();
    const settings = (form?.settings ?? []).filter((setting) => setting.type !== "other");
    this.element.hidden = settings.length === 0;
    const groups = new Map<string, Setting[]>();
    for (const setting of settings) {
      const group = setting.name.split(".")[0] ?? "";
      groups.set(group, [...(groups.get(group) ?? []), setting]);
    }
    fill(this.fields, [...groups].map(([group, members]) => h("fieldset", { class: "settings-group" },
      h("legend", {}, named("settings", group)),
      h("div", { class: "settings-grid" }, members.map((setting) => this.field(setting))))));
    this.mark();
  }

  /** The changed settings, or null where one of them is not valid (the browser has said so). */
  changed(): Record<string, unknown> | null {
    const found: Record<string, unknown> = {};
    for (const [setting, control] of this.controls) {
      if (!control.checkValidity()) {
        this.element.open = true;
        control.reportValidity();
        return null;
      }
      const value = valueOf(setting, control);
      if (!same(value, setting.value)) found[setting.name] = value;
    }
    return found;
  }

  private field(setting: Setting): HTMLElement {
    const id = `setting-${setting.name}`;
    const control = this.control(setting, id);
    this.controls.set(setting, control);
    control.addEventListener("input", () => this.mark());
    const label = h("label", { for: id }, settingNamed(setting.name));
    const help = h("small", { id: `${id}-help`, class: "muted" }, joined(said(setting.help), setting.type === "list" && t("settings.list"), rangeOf(setting)));
    return setting.type === "truth"
      ? h("div", { class: "field truth" }, h("div", { class: "row" }, control, label), help)
      : h("div", { class: "field" }, label, control, help);
  }

  private control(setting: Setting, id: string): Control {
    const shared = { id, "aria-describedby": `${id}-help` };
    const { value } = setting;
    if (setting.type === "truth") return h("input", { ...shared, type: "checkbox", checked: value === true });
    if (setting.type === "choice") {
      return h("select", { ...shared, value: String(value) }, setting.choices.map((one) => h("option", { value: one }, one)));
    }
    if (setting.type === "text") return h("input", { ...shared, type: "text", value: value === null ? "" : String(value) });
    if (setting.type === "list") {
      const list = h("input", { ...shared, type: "text", value: (value as unknown[]).join(", "), placeholder: t("settings.none") });
      list.addEventListener("input", () => list.setCustomValidity(listOf(setting, list.value) ? "" : t("settings.numbers")));
      return list;
    }
    return h("input", {
      ...shared, type: "number", value: value === null ? "" : String(value), required: !setting.optional,
      step: setting.type === "whole" ? 1 : "any", min: setting.minimum, max: setting.maximum,
      placeholder: setting.optional ? t("settings.none") : "",
    });
  }

  private mark(): void {
    let n = 0;
    for (const [setting, control] of this.controls) {
      const changed = !same(valueOf(setting, control), setting.value);
      control.closest(".field")?.classList.toggle("changed", changed);
      n += Number(changed);
    }
    fill(this.changes, n > 0 ? t("settings.changed", { n }) : null);
  }
}

function valueOf(setting: Setting, control: Control): unknown {
  if (setting.type === "truth") return (control as HTMLInputElement).checked;
  if (setting.type === "list") return listOf(setting, control.value);
  if (control.value === "" && setting.value === null) return null;
  if (setting.type === "number" || setting.type === "whole") return control.value === "" ? null : Number(control.value);
  return control.value;
}

/** Items between commas; null where they are not all of the kind that they are to be. */
function listOf({ items }: Setting, text: string): unknown[] | null {
  const parts = text.split(",").map((part) => part.trim()).filter(Boolean);
  if (items === "text") return parts;
  const numbers = parts.map(Number);
  const right = items === "whole" ? Number.isInteger : Number.isFinite;
  return numbers.every((one) => right(one)) ? numbers : null;
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

function rangeOf({ minimum, maximum }: Setting): string {
  if (minimum !== null && maximum !== null) return t("settings.between", { minimum, maximum });
  if (minimum !== null) return t("settings.atLeast", { minimum });
  return maximum !== null ? t("settings.atMost", { maximum }) : "";
}
