// A chat opens at its end. This stands right behind the thread, which is not shown before (chat.css).
{
  const scroller = document.querySelector("[data-scroll]");
  if (!location.hash) scroller.scrollTop = scroller.scrollHeight;
  scroller.dataset.ready = "";
}
