// Draws every [data-plot] from the figure in its json_script, in the colours of the page; again when the theme changes.
// A figure names colours by token ("--info-solid"), never by value: see web/figures.py.

const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

function colour(token) {
  probe.style.color = `var(${token})`;
  return getComputedStyle(probe).color;
}

function coloured(value) {
  if (typeof value === "string") return /^--[a-z-]+$/.test(value) ? colour(value) : value;
  if (Array.isArray(value)) return value.map(coloured);
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, coloured(inner)]));
  return value;
}

function template() {
  const axis = { gridcolor: "--line", linecolor: "--line-strong", zeroline: false, ticks: "", automargin: true, fixedrange: true };
  return coloured({
    layout: {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: "--muted" },
      colorway: ["--info-solid", "--hold-solid", "--ok-solid", "--warn-solid", "--bad-solid"],
      xaxis: { ...axis, showgrid: false, ticklabelstandoff: 6, nticks: innerWidth < 640 ? 4 : 8, tickangle: 0 },
      yaxis: { ...axis, rangemode: "tozero", nticks: 6, ticklabelstandoff: 8 },
      margin: { t: 32, r: 12, b: 28, l: 12 },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
      hovermode: "x unified",
      hoverlabel: { bgcolor: "--raised", bordercolor: "--line-strong", font: { color: "--text" } },
    },
  });
}

const drawn = new Map(); // element -> its figure, as it came
function draw(element) {
  const source = document.getElementById(element.dataset.plot);
  if (!source || !window.Plotly) return;
  const figure = JSON.parse(source.textContent);
  drawn.set(element, figure);
  const { data, layout } = coloured(figure);
  const redrawn = Boolean(element.on);
  window.Plotly.react(element, data, { ...layout, template: template() }, { displayModeBar: false, responsive: true });
  // A point leads to what is behind it: data-behind is the list, the point's customdata the search.
  if (element.dataset.behind && !redrawn)
    element.on("plotly_click", ({ points }) => {
      const search = points.find((point) => point.customdata)?.customdata;
      if (search) location.assign(`${element.dataset.behind}?q=${encodeURIComponent(search)}`);
    });
}
function drawAll(from = document) {
  for (const element of from.querySelectorAll("[data-plot]")) draw(element);
}

drawAll();
document.addEventListener("themechange", () => drawAll());
document.addEventListener("htmx:afterSettle", (event) => drawAll(event.target.parentElement || document));
