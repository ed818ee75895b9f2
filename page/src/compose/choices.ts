// Instruments as a reader chooses among them: by name, in their families.
import { h } from "../dom";
import { t, type Key } from "../texts";
import { DRUMS, FAMILIES, INSTRUMENTS, OF_A_FAMILY } from "./instruments";

/** What an instrument is called: its program's name, or drums in the reader's language. */
export function instrumentName(program: number): string {
  return program === DRUMS ? t("instrument.drums") : (INSTRUMENTS[program] ?? "");
}

/** Every instrument as choices, by families; what most pieces are for comes first. */
export function instrumentOptions(): HTMLElement[] {
  const option = (program: number): HTMLElement => h("option", { value: program }, instrumentName(program));
  const families = FAMILIES.map((family, place) =>
    h("optgroup", { label: t(`family.${family}` as Key) },
      Array.from({ length: OF_A_FAMILY }, (_, number) => option(place * OF_A_FAMILY + number))));
  return [...families, h("optgroup", { label: t("family.drums") }, option(DRUMS))];
}
