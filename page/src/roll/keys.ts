// What keys do in a roll. Takes a key as a browser names it and does it at the desk; leaves out the page.

import { barTicks } from "../ticks";
import type { Desk } from "./desk";

export interface Key {
  key: string;
  control: boolean; // or the command key
  shift: boolean;
  alt: boolean;
}

export interface Sight {
  zoom(way: "in" | "out" | "fit"): void;
  show(): void; // scrolls to what is selected, or to the cursor
  sayCursor(): void;
}

const arrows: Record<string, [across: number, up: number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

export class Keys {
  private leaving = false; // after Escape, Tab leaves the roll

  constructor(private readonly desk: Desk, private readonly sight: Sight) {}

  // True where the key meant something here, so that the browser does nothing more with it.
  press(key: Key): boolean {
    const { desk } = this;
    if (key.key === "Tab") return this.tab(key);
    const arrow = arrows[key.key];
    const done = arrow ? this.arrow(arrow[0], arrow[1], key) : key.control ? this.withControl(key) : this.plain(key);
    this.leaving = key.key === "Escape" && !desk.chosen.size;
    return done;
  }

  private tab(key: Key): boolean {
    if (key.control || key.alt || this.leaving) {
      this.leaving = false;
      return false;
    }
    const found = this.desk.chooseNext(key.shift ? -1 : 1);
    if (found) this.sight.show();
    return found;
  }

  private arrow(across: number, up: number, key: Key): boolean {
    const { desk } = this;
    if (key.alt && !up) return false; // the browser goes back and forward with it
    if (key.alt) desk.strengthen(up * (key.shift ? 1 : 8));
    else if (key.control && across) desk.stretch(across);
    else if (key.control) return false;
    else if (desk.chosen.size) {
      const [first] = desk.chosen;
      const bar = barTicks(desk.sheet, first?.[0] ?? 0);
      desk.move(across * (key.shift ? bar : desk.step), up * (key.shift ? 12 : 1));
      this.sight.show();
    } else {
      desk.moveCursor(key.shift ? 0 : across, up * (key.shift ? 12 : 1), key.shift ? across : 0);
      this.sight.show();
      this.sight.sayCursor();
    }
    return true;
  }

  private withControl(key: Key): boolean {
    const { desk } = this;
    switch (key.key.toLowerCase()) {
      case "a": desk.chooseAll(); break;
      case "c": desk.copy(); break;
      case "x": desk.cut(); break;
      case "v": desk.paste(); this.sight.show(); break;
      case "z": if (key.shift) desk.redo(); else desk.undo(); break;
      case "y": desk.redo(); break;
      default: return false;
    }
    return true;
  }

  private plain(key: Key): boolean {
    const { desk, sight } = this;
    if (key.alt) return false;
    switch (key.key) {
      case "Enter":
      case "Insert": desk.addAtCursor(); sight.show(); break;
      case "Delete":
      case "Backspace": desk.remove(); break;
      case "Home":
      case "End": desk.goTo(key.key === "End"); sight.show(); sight.sayCursor(); break;
      case "+":
      case "=": sight.zoom("in"); break;
      case "-": sight.zoom("out"); break;
      case "0": sight.zoom("fit"); break;
      case "b":
      case "B": desk.regionAtCursor(key.shift); break;
      case "Escape":
        if (desk.chosen.size) desk.choose([]);
        else desk.setRegion(null);
        desk.sayChosen();
        break;
      default: return false;
    }
    return true;
  }
}
