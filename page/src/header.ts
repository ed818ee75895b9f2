// The head of the page: its name, where one can go, the language, light or dark, and the jobs that are running.
import { h } from "./dom";
import { jobsPanel } from "./jobs";
import { language, speak, t, type Key } from "./texts";

export const ROUTES = ["corpus", "train", "compose", "report", "score"] as const;
export type Route = (typeof ROUTES)[number];

const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const KEPT = "partimento.theme";

export function theme(): Theme {
  const kept = localStorage.getItem(KEPT) as Theme | null;
  return kept && THEMES.includes(kept) ? kept : "auto";
}

export function paint(chosen: Theme = theme()): void {
  localStorage.setItem(KEPT, chosen);
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

/** The header, and what ends what it listens to. */
export function header(route: Route): { element: HTMLElement; end: () => void; go: (route: Route) => void } {
  const links = new Map<Route, HTMLAnchorElement>();
  for (const to of ROUTES) {
    links.set(to, h("a", { href: `#/${to}`, id: `to-${to}` }, t(`route.${to}`)));
  }
  const go = (to: Route): void => {
    for (const [name, link] of links) {
      if (name === to) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  };
  go(route);
  const jobs = jobsPanel();
  const element = h("header", { class: "top" },
    h("a", { class: "name", href: "#/corpus" }, "Partimento"),
    h("nav", { "aria-label": t("navigation") }, ...links.values()),
    h("div", { class: "settings" }, jobs.element, languageSwitch(), themeSwitch()));
  return { element, end: jobs.end, go };
}

function languageSwitch(): HTMLElement {
  const other = language() === "en" ? "zh" : "en";
  return h("button", {
    type: "button", class: "quiet", id: "language", lang: other === "zh" ? "zh-Hans" : "en",
    onclick: () => speak(other),
  }, other === "zh" ? "中文" : "English");
}

function themeSwitch(): HTMLElement {
  const button = h("button", { type: "button", class: "quiet theme", id: "theme" });
  const show = (): void => {
    const label = t("theme", { theme: t(`theme.${theme()}` as Key) });
    button.textContent = { auto: "◐", light: "○", dark: "●" }[theme()];
    button.setAttribute("aria-label", label);
    button.title = label;
  };
  button.addEventListener("click", () => {
    paint(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
    show();
  });
  show();
  return button;
}
