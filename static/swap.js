// Links and forms inside the view swap only the view: a[data-swap], form[data-swap]. Without script they are plain.
export function load(url, { push = true } = {}) {
  const path = url.pathname + url.search;
  return htmx.ajax("GET", path, { source: "#view", target: "#view", swap: "outerHTML show:none" }).then(() => {
    if (push) history.pushState({ callgate: true }, "", path);
    else history.replaceState({ callgate: true }, "", path);
    document.title = document.getElementById("view").dataset.title;
  });
}

export function startSwaps() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-swap]");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const focused = link.closest(".drop")?.querySelector("summary")?.id ?? link.id;
    load(new URL(link.href)).then(() => focused && document.getElementById(focused)?.focus({ preventScroll: true }));
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-swap]");
    if (!form) return;
    event.preventDefault();
    const url = new URL(form.action);
    for (const [name, value] of new FormData(form)) if (value !== "") url.searchParams.append(name, value);
    load(url);
  });
  addEventListener("popstate", () => load(new URL(location.href), { push: false }));
  // an answer that is an error page is shown in full, not thrown away
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    if (xhr.status < 400) return;
    event.detail.shouldSwap = xhr.status === 503 && xhr.responseText.includes('id="view"');
    if (!event.detail.shouldSwap) location.reload();
  });
}
