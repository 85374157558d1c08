// Numbers as gateway/dashboard/format.py writes them; a test compares the two.
export function count(number) {
  return number.toLocaleString("en");
}

// Three significant digits under a dollar, cents from there on; never rounded to zero.
export function money(nanousd) {
  if (nanousd === 0) return "$0.00";
  const step = 10 ** Math.max(0, String(Math.round(nanousd)).length - 3);
  const rounded = Math.round(nanousd / step) * step;
  if (rounded >= 1e9) return `$${(nanousd / 1e9).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  const zeros = 9 - String(rounded).length;
  return `$${(rounded / 1e9).toFixed(Math.min(9, zeros + 3))}`;
}

function three(number) {
  return number.toFixed(number < 9.995 ? 2 : number < 99.95 ? 1 : 0);
}

export function duration(ms) {
  if (ms < 999.5) return `${three(ms)}ms`;
  if (ms < 99_950) return `${three(ms / 1000)}s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, "0")}s`;
}
