// The colours of a roll: what the page's style sheet says in --paper, --ink, --line, --accent and --track-0 to 7, and
// where it says nothing, colours that people with any colour vision tell apart, for light and for dark paper.

export interface Colours {
  paper: string;
  ink: string;
  line: string;
  accent: string;
  tracks: string[];
  dark: boolean;
  blackKey: string;
  whiteKey: string;
}

const light = {
  paper: "#ffffff", ink: "#1d2127", line: "#c9ced6", accent: "#0b62d6",
  tracks: ["#0072b2", "#d55e00", "#00815f", "#a8437f", "#8a6100", "#5b5bd6", "#4d7d1c", "#6b6f76"],
};
const dark = {
  paper: "#15181d", ink: "#e8eaee", line: "#3d444e", accent: "#7db4ff",
  tracks: ["#56b4e9", "#f08c4a", "#2fc79a", "#e795c4", "#e3b72f", "#a5a5ff", "#9ccc5a", "#b4b9c1"],
};

// Asks the browser what a colour is on this element, whatever it is made of, and its red, green and blue.
class Asker {
  private readonly probe = document.createElement("span");
  private readonly context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  constructor(element: HTMLElement) {
    this.probe.hidden = true;
    element.append(this.probe);
  }

  colour(name: string, otherwise: string): string {
    this.probe.style.color = `var(${name}, ${otherwise})`;
    return getComputedStyle(this.probe).color;
  }

  brightness(colour: string): number {
    if (!this.context) return 1;
    this.context.fillStyle = colour;
    this.context.fillRect(0, 0, 1, 1);
    const [red = 0, green = 0, blue = 0] = this.context.getImageData(0, 0, 1, 1).data;
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
  }

  done(): void {
    this.probe.remove();
  }
}

export function coloursOf(element: HTMLElement): Colours {
  const asker = new Asker(element);
  const wanted = matchMedia("(prefers-color-scheme: dark)").matches ? dark : light;
  const paper = asker.colour("--paper", wanted.paper);
  const isDark = asker.brightness(paper) < 0.4;
  const otherwise = isDark ? dark : light;
  const colours = {
    paper,
    ink: asker.colour("--ink", otherwise.ink),
    line: asker.colour("--line", otherwise.line),
    accent: asker.colour("--accent", otherwise.accent),
    tracks: otherwise.tracks.map((colour, place) => asker.colour(`--track-${place}`, colour)),
    dark: isDark,
    whiteKey: isDark ? "#d9dce1" : "#ffffff",
    blackKey: isDark ? "#23272e" : "#2b2f36",
  };
  asker.done();
  return colours;
}

// Tells when the colours may be others: the system's or the page's theme has changed. Gives what ends the telling.
export function whenColoursChange(hear: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const page = new MutationObserver(hear);
  for (const each of [document.documentElement, document.body]) {
    page.observe(each, { attributes: true, attributeFilter: ["class", "style", "data-theme"] });
  }
  system.addEventListener("change", hear);
  return () => {
    page.disconnect();
    system.removeEventListener("change", hear);
  };
}
