// Draws the pictures of a page from the data beside them, with the theme's Chart.js. Every number of theirs stands in
// the table below as well; a click on a bar or a point opens the rows that it stands for, as the table's links do.

const LIGHT = ["#0f766e", "#b45309", "#6d28d9", "#1d4ed8", "#be185d", "#4d7c0f", "#57534e", "#b91c1c"];
const DARK = ["#2dd4bf", "#fbbf24", "#c4b5fd", "#60a5fa", "#f9a8d4", "#bef264", "#d6d3d1", "#fca5a5"];
const POINTS = ["circle", "rect", "triangle", "rectRot", "star", "crossRot", "rectRounded", "cross"];
const DASHES = [[], [8, 4], [2, 3], [12, 3, 2, 3], [4, 4], [16, 4], [1, 5], [6, 2, 2, 2]];
const compact = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });

const isDark = () => document.documentElement.classList.contains("dark");

// A fill that is told from its neighbours by its lines, not by its colour alone.
function pattern(context, color, number) {
  if (number === 0) return color;
  const tile = document.createElement("canvas");
  tile.width = tile.height = 12;
  const pen = tile.getContext("2d");
  pen.fillStyle = isDark() ? "#1f2937" : "#ffffff";
  pen.fillRect(0, 0, 12, 12);
  pen.strokeStyle = pen.fillStyle = color;
  pen.lineWidth = 3;
  const line = (...points) => {
    pen.beginPath();
    for (let at = 0; at < points.length; at += 4) {
      pen.moveTo(points[at], points[at + 1]);
      pen.lineTo(points[at + 2], points[at + 3]);
    }
    pen.stroke();
  };
  const drawn = [
    () => line(-3, 3, 3, -3, 0, 12, 12, 0, 9, 15, 15, 9),
    () => {
      for (const [x, y] of [[3, 3], [9, 9]]) {
        pen.beginPath();
        pen.arc(x, y, 2.2, 0, 7);
        pen.fill();
      }
    },
    () => line(0, 6, 12, 6),
    () => line(-3, 9, 3, 15, 0, 0, 12, 12, 9, -3, 15, 3),
    () => line(6, 0, 6, 12),
    () => line(0, 6, 12, 6, 6, 0, 6, 12),
    () => line(0, 0, 12, 12, 0, 12, 12, 0),
  ];
  drawn[(number - 1) % drawn.length]();
  return context.createPattern(tile, "repeat");
}

function dataset(series, number, kind, context) {
  const color = (isDark() ? DARK : LIGHT)[number % LIGHT.length];
  const common = { label: series.name, data: series.values, shown: series.shown, addresses: series.addresses };
  if (kind === "lines") {
    return {
      ...common, borderColor: color, backgroundColor: color, borderDash: DASHES[number % DASHES.length], borderWidth: 2,
      pointStyle: POINTS[number % POINTS.length], pointRadius: series.values.length > 60 ? 2 : 4, pointHitRadius: 12,
      pointBorderWidth: 2, spanGaps: true, tension: 0, base: undefined,
    };
  }
  return {
    ...common, backgroundColor: pattern(context, color, number), borderColor: color, borderWidth: 1,
    maxBarThickness: kind === "sideways" ? 18 : 40, borderRadius: 2, borderSkipped: false,
  };
}

function options(data, go) {
  const ink = isDark() ? "#d1d5db" : "#4b5563";
  const faint = isDark() ? "#374151" : "#e5e7eb";
  const sideways = data.kind === "sideways";
  const stacked = data.kind === "stacked";
  // Years stand in the table and under the pointer.
  const short = (label) => {
    const text = label.replace(/^(\d+ \w{3}) \d{4}$/, "$1");
    return text.length > 26 ? `${text.slice(0, 25)}…` : text;
  };
  const values = {
    beginAtZero: true, stacked, grid: { color: faint }, border: { display: false },
    title: { display: true, text: data.axis, color: ink },
    ticks: { color: ink, maxTicksLimit: 6, precision: 0, callback: (value) => compact.format(value) },
  };
  const labels = {
    stacked, grid: { display: false }, border: { color: faint },
    ticks: {
      color: ink, autoSkip: !sideways, maxRotation: 45,
      callback(value) { return short(this.getLabelForValue(value)); },
    },
  };
  return {
    animation: false, responsive: true, maintainAspectRatio: false, indexAxis: sideways ? "y" : "x",
    interaction: { mode: sideways || data.kind === "lines" ? "nearest" : "index", intersect: data.kind === "lines", axis: sideways ? "y" : "x" },
    scales: sideways ? { x: values, y: labels } : { x: labels, y: values },
    plugins: {
      legend: {
        display: data.series.length > 1, position: "bottom", align: "start",
        labels: { color: ink, usePointStyle: data.kind === "lines", boxWidth: 18, boxHeight: data.kind === "lines" ? 8 : 12 },
      },
      tooltip: {
        callbacks: {
          title: ([first]) => data.labels[first.dataIndex],
          label: (item) => `${item.dataset.label}: ${item.dataset.shown[item.dataIndex]}`,
        },
      },
    },
    onClick: (event, _, chart) => go(address(event, chart)),
    onHover: (event, _, chart) => { chart.canvas.style.cursor = address(event, chart) ? "pointer" : ""; },
  };
}

// Of what is under the pointer, not of all that its week has.
function address(event, chart) {
  const [hit] = chart.getElementsAtEventForMode(event, "nearest", { intersect: true }, false);
  return hit ? chart.data.datasets[hit.datasetIndex].addresses[hit.index] : "";
}

function draw(box) {
  const data = JSON.parse(document.getElementById(box.dataset.chart).textContent);
  box.hidden = false;
  if (data.kind === "sideways") {
    const bars = Math.max(1, data.series.length);
    box.style.height = `${Math.max(120, data.labels.length * (bars > 1 ? 42 : 28) + (bars > 1 ? 90 : 60))}px`;
  }
  const canvas = box.querySelector("canvas");
  const context = canvas.getContext("2d");
  const open = (to) => { if (to) window.location.assign(to); };
  return new Chart(canvas, {
    type: data.kind === "lines" ? "line" : "bar",
    data: { labels: data.labels, datasets: data.series.map((series, at) => dataset(series, at, data.kind, context)) },
    options: options(data, open),
  });
}

const boxes = [...document.querySelectorAll("[data-chart]")];
let charts = boxes.map(draw);

// The colours follow the theme when somebody changes it.
let wasDark = isDark();
new MutationObserver(() => {
  if (isDark() === wasDark) return;
  wasDark = isDark();
  for (const chart of charts) chart.destroy();
  charts = boxes.map(draw);
}).observe(document.documentElement, { attributeFilter: ["class"] });
