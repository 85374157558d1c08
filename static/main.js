// The small modules behind the pages. Each finds its elements by data-… attributes and works again after a swap.
import { drawCharts, redrawCharts } from "./charts.js";
import { startActions } from "./actions.js";
import { startColumns } from "./columns.js";
import { startExports } from "./export.js";
import { startList } from "./list.js";
import { startLive } from "./live.js";
import { startPalette } from "./palette.js";
import { startRefresh } from "./refresh.js";
import { startReplay } from "./replay.js";
import { startSwaps } from "./swap.js";
import { startTimes } from "./times.js";

startColumns(); // first: it remembers what a click chose before the view is swapped
startActions({ themeChanged: redrawCharts });
startPalette();
startSwaps();
startList();
startLive();
startRefresh();
startTimes();
startExports();
startReplay();
drawCharts(document);
document.addEventListener("htmx:afterSettle", (event) => drawCharts(event.detail.elt.closest("#view") ?? document));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
