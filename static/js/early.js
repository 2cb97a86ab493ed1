// Before the first paint: the chosen theme (staff pages say auto), and the time zone of times.
{
  try {
    const theme = localStorage.getItem("theme");
    if (theme && theme !== "auto") document.documentElement.dataset.theme = theme;
  } catch {} // storage may be closed to us
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.includes(`timezone=${zone}`)) {
    document.cookie = `timezone=${zone};path=/;max-age=31536000;samesite=lax`;
  }
}

// Enter before the page can send: it is pressed again once it can.
{
  let pressed;
  const early = (event) => {
    if (event.key !== "Enter" || event.shiftKey || !event.target.matches("[data-input]")) return;
    pressed = event;
    event.preventDefault();
  };
  document.addEventListener("keydown", early);
  document.addEventListener("page:shown", () => {
    document.removeEventListener("keydown", early);
    if (pressed) setTimeout(() => pressed.target.dispatchEvent(new KeyboardEvent("keydown", pressed)));
  }, { once: true });
}
