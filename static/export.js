// Exports are downloads that the browser itself makes, in constant memory; the gateway says how many rows are written.
const EVERY_MS = 400;
const LOST_AFTER = 25;

function frame(total) {
  const box = document.createElement("div");
  box.className = "toast";
  box.dataset.tone = "info";
  const inner = document.createElement("div");
  inner.className = "export";
  const text = document.createElement("span");
  text.textContent = "Exporting";
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", "Rows exported");
  if (total) bar.max = total;
  inner.append(text, bar);
  box.append(inner);
  document.getElementById("toasts").append(box);
  return { box, text, bar };
}

async function follow(token, total) {
  const { box, text, bar } = frame(total);
  const of = total ? ` of ${total.toLocaleString("en")}` : "";
  for (let missed = 0; missed < LOST_AFTER; ) {
    await new Promise((done) => setTimeout(done, EVERY_MS));
    const answer = await fetch(`/api/requests/export/${token}`).catch(() => null);
    if (!answer?.ok) {
      missed += 1;
      continue;
    }
    missed = 0;
    const { rows, state } = await answer.json();
    bar.value = rows;
    text.textContent = state === "running" ? `Exporting: ${rows.toLocaleString("en")}${of} rows` : `Exported ${rows.toLocaleString("en")} rows`;
    if (state === "running") continue;
    if (state === "failed") {
      box.dataset.tone = "error";
      text.textContent = `The export broke off after ${rows.toLocaleString("en")} rows: the file is not whole`;
    }
    bar.remove();
    if (state === "done") setTimeout(() => box.remove(), 5000);
    return;
  }
  box.remove(); // another worker carries it, or it was never begun: the browser's own list of downloads shows it
}

export function startExports() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-export]");
    if (!link || event.defaultPrevented) return;
    const token = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
    const url = new URL(link.href);
    url.searchParams.set("progress", token);
    event.preventDefault();
    const download = document.createElement("a");
    download.href = url;
    download.download = "";
    download.click();
    link.closest("details").open = false;
    follow(token, Number(link.dataset.export));
  });
}
