/* Light or dark as the system is, in the head, so that no other flashes up; what was chosen before follows in app.js. */

document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
