// The small modules behind the pages. Each finds its elements by data-… attributes and works again after a swap.
import { drawCharts, redrawCharts } from "./charts.js";
import { startActions } from "./actions.js";
import { startList } from "./list.js";
import { startLive } from "./live.js";
import { startRefresh } from "./refresh.js";
import { startSwaps } from "./swap.js";

startActions({ themeChanged: redrawCharts });
startSwaps();
startList();
startLive();
startRefresh();
drawCharts(document);
document.addEventListener("htmx:afterSettle", (event) => drawCharts(event.detail.elt.closest("#view") ?? document));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
