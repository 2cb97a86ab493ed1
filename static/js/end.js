// A chat opens at its end. This stands right behind the thread, so that nothing is painted before.
{
  const scroller = document.querySelector("[data-scroll]");
  if (scroller && !location.hash) scroller.scrollTop = scroller.scrollHeight;
}
