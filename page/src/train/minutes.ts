// How many minutes something may take: a slider, and the number beside it.
import { h } from "../dom";
import { t } from "../texts";

export interface Minutes {
  element: HTMLElement;
  value: () => number;
  valid: () => boolean;
}

const MOST = 120;
// the slider is finer where a minute matters more
const toMinutes = (place: number): number => Math.max(1, Math.round(MOST ** (place / 100)));
const toPlace = (minutes: number): number => (100 * Math.log(Math.max(1, minutes))) / Math.log(MOST);

export function minutesField(id: string, standard: number, label = t("minutes")): Minutes {
  const number = h("input", { type: "number", id, min: 1, max: MOST, step: "any", value: standard, required: true });
  const slider = h("input", {
    type: "range", min: 0, max: 100, step: 0.5, value: toPlace(standard), "aria-label": label,
    "aria-valuetext": t("minutes.value", { n: standard }),
  });
  const spoken = (): void => slider.setAttribute("aria-valuetext", t("minutes.value", { n: number.value }));
  slider.addEventListener("input", () => {
    number.value = String(toMinutes(slider.valueAsNumber));
    spoken();
  });
  slider.addEventListener("keydown", (event) => { // a key is a minute, wherever the slider stands
    const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const minutes = Math.min(MOST, Math.max(1, Math.round(number.valueAsNumber || standard) + way));
    number.value = String(minutes);
    slider.value = String(toPlace(minutes));
    spoken();
  });
  number.addEventListener("input", () => {
    if (Number.isFinite(number.valueAsNumber)) slider.value = String(toPlace(number.valueAsNumber));
    spoken();
  });
  return {
    element: h("div", { class: "field" }, h("label", { for: id }, label), h("div", { class: "row together" }, slider, number)),
    value: () => number.valueAsNumber,
    valid: () => number.reportValidity(),
  };
}
