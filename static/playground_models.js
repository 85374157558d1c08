// Which models a message goes to: chips, and a menu to find them in.
import { copyOf } from "./playground_view.js";

const MOST = 4;
const SHOWN = 60;
const REMEMBERED = "callgate.playground.models";
const FIRST = "demo/lorem"; // which needs no key

export class Models {
  constructor(root, changed) {
    this.chips = root.querySelector("[data-chosen]");
    this.menu = root.querySelector("[data-picker]");
    this.find = root.querySelector("[data-picker-find]");
    this.list = root.querySelector("[data-picker-list]");
    this.note = root.querySelector("[data-picker-note]");
    this.changed = changed;
    this.known = new Map();
    this.chosen = [];
    this.find.addEventListener("input", () => this.showList());
    this.menu.addEventListener("toggle", () => {
      if (!this.menu.open) return;
      this.showList();
      this.find.focus();
    });
    this.list.addEventListener("change", ({ target }) => this.toggle(target.value, target.checked));
    this.list.addEventListener("keydown", (event) => this.step(event));
    this.find.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") this.list.querySelector("input")?.focus();
      if (event.key === "Enter") event.preventDefault();
      if (event.key === "Enter") this.list.querySelector("input")?.click();
    });
    this.chips.addEventListener("click", ({ target }) => {
      const drop = target.closest("[data-chip-drop]");
      if (drop) this.toggle(drop.value, false);
    });
  }

  // `wanted` are those of the conversation; without any, those of the last one.
  async load(wanted) {
    const response = await fetch("/api/playground/models");
    const { items } = response.ok ? await response.json() : { items: [] };
    this.known = new Map(items.map((each) => [each.id, each]));
    const last = JSON.parse(localStorage.getItem(REMEMBERED) ?? "[]").filter((name) => this.known.has(name));
    const first = items.find((each) => each.owned_by === "callgate")?.id ?? (this.known.has(FIRST) ? FIRST : items[0]?.id);
    this.chosen = wanted.length ? [...wanted] : last.length ? last : first ? [first] : [];
    this.showChips();
  }

  priceOf(name) {
    const known = this.known.get(name);
    return known?.input_nanousd != null && known.output_nanousd != null ? known : null;
  }

  toggle(name, isWanted) {
    this.chosen = this.chosen.filter((each) => each !== name);
    if (isWanted) this.chosen = [...this.chosen, name].slice(-MOST);
    localStorage.setItem(REMEMBERED, JSON.stringify(this.chosen));
    this.showChips();
    for (const box of this.list.querySelectorAll("input")) box.checked = this.chosen.includes(box.value);
    this.changed();
  }

  showChips() {
    this.chips.replaceChildren(...this.chosen.map((name) => {
      const chip = copyOf("chip");
      const drop = chip.querySelector("[data-chip-drop]");
      chip.querySelector("[data-chip-name]").textContent = name;
      drop.value = name;
      drop.setAttribute("aria-label", `Leave out ${name}`);
      return chip;
    }));
  }

  showList() {
    const words = this.find.value.toLowerCase().split(/\s+/);
    const found = [...this.known.keys()].filter((name) => words.every((word) => name.toLowerCase().includes(word)));
    const shown = [...new Set([...this.chosen.filter((name) => found.includes(name)), ...found])].slice(0, SHOWN);
    this.list.replaceChildren(...shown.map((name) => {
      const label = document.createElement("label");
      const box = document.createElement("input");
      const words = document.createElement("span");
      label.className = "menu-item check";
      box.type = "checkbox";
      box.value = name;
      box.checked = this.chosen.includes(name);
      words.className = "mono";
      words.textContent = name;
      label.append(box, words);
      return label;
    }));
    const more = found.length - shown.length;
    this.note.textContent = found.length === 0 ? "No model of that name that you may use." : more > 0 ? `${more} more: write more of the name` : `Up to ${MOST} answer side by side`;
  }

  step(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const boxes = [...this.list.querySelectorAll("input")];
    (boxes[boxes.indexOf(document.activeElement) + by] ?? this.find).focus();
  }
}
