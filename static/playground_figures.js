// Numbers as gateway/dashboard/format.py writes them.
export function count(number) {
  return number.toLocaleString("en");
}

export function money(nanousd) {
  if (nanousd === 0) return "$0.00";
  const usd = nanousd / 1e9;
  if (usd >= 0.9995) return `$${usd.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  const zeros = 9 - String(Math.round(nanousd)).length;
  return `$${usd.toFixed(Math.min(9, zeros + 3))}`;
}

export function duration(ms) {
  if (ms >= 60_000) return `${Math.floor(ms / 60_000)}m ${String(Math.floor((ms % 60_000) / 1000)).padStart(2, "0")}s`;
  if (ms >= 999.5) return `${(ms / 1000).toPrecision(3)}s`;
  return `${ms >= 100 ? Math.round(ms) : ms.toPrecision(3)}ms`;
}
