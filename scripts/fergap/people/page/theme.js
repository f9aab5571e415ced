/* Light or dark: as chosen on such a page before, else as the system is. In the head, so that no other flashes up. */

const system = matchMedia("(prefers-color-scheme: dark)");

function chosenTheme() {
  try {
    return localStorage.getItem("fergap/theme");
  } catch {
    return null; // this browser keeps nothing
  }
}

function followTheme() {
  document.documentElement.dataset.theme = chosenTheme() || (system.matches ? "dark" : "light");
}

system.addEventListener("change", followTheme);
followTheme();
