// Composing, which is still to be written: this page only says so.
import { h } from "../dom";
import { t } from "../texts";

export function page(root: HTMLElement, _query: URLSearchParams): () => void {
  root.append(h("h1", {}, t("route.compose")), h("p", { class: "empty" }, t("compose.coming")));
  return () => {};
}
