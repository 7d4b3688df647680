// Cockpit's style: light, dark, or that of the system. The shell keeps it in local storage, and tells of changes with
// an event; a page has to follow it by itself.
const KEY = "shell:style";
const system = window.matchMedia("(prefers-color-scheme: dark)");

function follow(style) {
    const chosen = style ?? localStorage.getItem(KEY) ?? "auto";
    document.documentElement.classList.toggle("pf-v6-theme-dark", chosen === "dark" || (chosen === "auto" && system.matches));
}

window.addEventListener("storage", (event) => event.key === KEY && follow());
window.addEventListener("cockpit-style", (event) => follow(event.detail.style));
system.addEventListener("change", () => follow());
follow();
