// Passkeys and security keys: a button with data-passkey asks the browser, and sends its answer with its form. What is
// asked for stands in data-options, or at the address in data-options-at.
const told = (button, sentence) => {
  const place = button.parentElement.parentElement.querySelector("[data-told]") ?? button.parentElement.after(
    Object.assign(document.createElement("p"), { className: "wrong", role: "alert" }),
  ) ?? button.parentElement.nextElementSibling;
  place.dataset.told = "";
  place.textContent = sentence;
};

const optionsOf = async (button) => {
  if (button.dataset.options) return JSON.parse(button.dataset.options);
  const answer = await fetch(button.dataset.optionsAt, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  return (await answer.json()).request_options;
};

const made = (options, button) => {
  const chosen = options.publicKey.authenticatorSelection ?? {};
  const isPasskey = button.form.elements.passwordless?.checked ?? false;
  options.publicKey.authenticatorSelection = {
    ...chosen,
    residentKey: isPasskey ? "required" : "discouraged",
    requireResidentKey: isPasskey,
    userVerification: "required",
  };
  return window.webauthnJSON.create(options);
};

for (const button of document.querySelectorAll("[data-passkey]")) {
  button.hidden = !window.PublicKeyCredential;
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    try {
      const options = await optionsOf(button);
      const credential = button.dataset.passkey === "make"
        ? await made(options, button)
        : await window.webauthnJSON.get(options);
      button.form.elements.credential.value = JSON.stringify(credential);
      button.form.submit();
    } catch {
      told(button, "That did not work, or it was cancelled. Try again, or use another way.");
    }
  });
}
