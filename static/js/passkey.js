// Signing with a passkey: form[data-passkey="id of a json_script with request options"] asks the authenticator, puts its
// answer (JSON) into the form's [data-passkey-answer], and sends the form. What is signed is made by the server.

const form = document.querySelector("form[data-passkey]");
const button = form?.querySelector("[data-passkey-button]");
const message = form?.querySelector("[data-passkey-error]");

button?.addEventListener("click", async (event) => {
  event.preventDefault();
  if (button.getAttribute("aria-disabled") === "true" || !form.reportValidity()) return;
  message.hidden = true;
  try {
    const options = JSON.parse(document.getElementById(form.dataset.passkey).textContent);
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey || options);
    const credential = await navigator.credentials.get({ publicKey });
    form.querySelector("[data-passkey-answer]").value = JSON.stringify(credential.toJSON());
    form.submit();
  } catch (error) {
    message.textContent =
      error.name === "NotAllowedError"
        ? "The passkey was not used: the request was cancelled or timed out. Nothing was signed."
        : `The passkey could not be used (${error.name}). Nothing was signed; sign with password and code instead.`;
    message.hidden = false;
  }
});
if (button && !window.PublicKeyCredential) button.hidden = true;
