// A piece looked at: a piano roll in a dialog, which can be listened to and not changed.
import type { Score } from "./api";
import { fill, h } from "./dom";
import { listen, listenButton } from "./listening";
import { complain } from "./messages";
import { t } from "./texts";

export async function look(name: string, fetchScore: () => Promise<Score>): Promise<void> {
  const place = h("div", { class: "roll-place" }, h("p", { class: "muted" }, t("look.opening")));
  const tracks = h("ul", { class: "plain legend" });
  let fetched: Promise<Score> | null = null;
  const once = (): Promise<Score> => (fetched ??= fetchScore());
  const key = `look-${name}`;
  const dialog = h("dialog", { class: "look", "aria-label": name },
    h("div", { class: "row head" }, h("h2", {}, name), h("div", { class: "row" },
      listenButton(key, name, once),
      h("button", { type: "button", id: "close-look", onclick: () => dialog.close() }, t("close")))),
    place, tracks);
  let end = (): void => {};
  dialog.addEventListener("close", () => {
    if (listen.playing === key) listen.stop();
    end();
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  try {
    const [{ Roll }, score] = await Promise.all([import("./roll"), once()]);
    if (!dialog.open) return;
    fill(place);
    const roll = new Roll(place, { readOnly: true, t });
    end = () => roll.destroy();
    roll.setScore(score);
    roll.zoom("fit");
    fill(tracks, score.tracks.map((track, number) => {
      const swatch = h("span", { class: "swatch", "aria-hidden": true });
      swatch.style.background = roll.trackColour(number);
      return h("li", {}, swatch, track.name);
    }));
  } catch (error) {
    dialog.close();
    complain(error);
  }
}
