// Before the first paint: theme, density, folded nav, and that there is script. Everything else is in main.js.
const root = document.documentElement;
root.classList.add("js");
for (const key of ["theme", "density", "nav"]) {
  const value = localStorage.getItem(`callgate.${key}`);
  if (value) root.dataset[key] = value;
}
