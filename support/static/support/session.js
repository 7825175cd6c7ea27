// A long form is not sent into a session that has ended, which would lose it: the page stays, and says what to do.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const asks = form.dataset.asksSession;
  if (!asks || event.defaultPrevented || form.dataset.isSigned) return;
  event.preventDefault();
  let isSignedIn = true;
  try {
    const answer = await fetch(asks, { method: "HEAD", redirect: "manual" });
    isSignedIn = answer.ok;
  } catch {
    isSignedIn = false;
  }
  const told = form.querySelector("[data-session]") ?? form.appendChild(document.createElement("p"));
  told.dataset.session = "";
  told.setAttribute("role", "alert");
  told.className = "field-error";
  if (!isSignedIn) {
    told.textContent = "Not sent: you are signed out, or there is no connection. Sign in in another tab, then send it from here.";
    return;
  }
  told.textContent = "";
  // Signing in gave a new token, and the form is still the same person's.
  const token = document.cookie.split("; ").find((part) => part.startsWith("csrftoken="))?.slice("csrftoken=".length);
  if (token) form.elements.csrfmiddlewaretoken.value = token;
  form.dataset.isSigned = "1";
  form.requestSubmit(event.submitter);
  delete form.dataset.isSigned;
});
