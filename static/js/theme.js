// Runs before the first paint, so that a chosen theme never flashes: this file alone is loaded without `defer`.
try {
  const theme = localStorage.getItem("readiness-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  if (localStorage.getItem("readiness-keys") === "off") document.documentElement.dataset.keys = "off";
} catch {
  // Storage may be switched off: the system's theme it is.
}
