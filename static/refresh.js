// Overview: the figures are asked for again every 30 s while somebody can see them and nobody is reading a menu.
import { load } from "./swap.js";

const KEY = "callgate.refresh";
const EVERY_MS = 30_000;

const isOn = () => localStorage.getItem(KEY) !== "off";
const isBusy = () => document.hidden || document.querySelector("details.drop[open], dialog[open], .series:hover, .is-table") !== null;

function show() {
  for (const box of document.querySelectorAll("[data-action=refresh]")) box.checked = isOn();
}

export function startRefresh() {
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-action=refresh]")) localStorage.setItem(KEY, event.target.checked ? "on" : "off");
  });
  document.addEventListener("htmx:afterSettle", show);
  show();
  setInterval(() => {
    if (isOn() && !isBusy() && document.querySelector("#view [data-refresh]")) load(new URL(location.href), { push: false });
  }, EVERY_MS);
}
