// Whose page this is. Each sign-in gives the browser another CSRF cookie: a page from before it can send nothing any
// more, and whoever is signed in now may be somebody else. It is read anew; what was begun on it is kept.
const token = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
const ours = token();

/** Reads the page anew if somebody has signed in since it was drawn. */
export function isOutdated() {
  const now = token(), is = Boolean(now && ours && now !== ours);
  if (is) location.reload();
  return is;
}

document.addEventListener("visibilitychange", () => document.hidden || isOutdated());
window.addEventListener("pageshow", isOutdated);
